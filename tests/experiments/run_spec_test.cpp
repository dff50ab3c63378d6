// Specs as documents: what is read, refused and named, and what makes two of them the same.
#include "experiments/run_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "engine/methods/method.h"

namespace lathe::experiments {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

RunSpec read(const Json& document) {
  Result<RunSpec> spec = run_spec_from_json(document);
  EXPECT_TRUE(spec.ok()) << spec.error().text();
  return spec.ok() ? *spec : RunSpec{};
}

std::string refusal(const Json& document) {
  const Result<RunSpec> spec = run_spec_from_json(document);
  EXPECT_FALSE(spec.ok()) << document.dump();
  if (spec.ok()) {
    return "";
  }
  EXPECT_EQ(spec.error().kind, ErrorKind::kUsage);
  return spec.error().message;
}

std::string override_refusal(const std::string& assignment) {
  Json document = Json::object();
  const Result<void> applied = apply_override(assignment, document);
  EXPECT_FALSE(applied.ok()) << assignment << " gave " << document.dump();
  EXPECT_EQ(document, Json::object()) << "a refused override must leave the document alone";
  return applied.ok() ? "" : applied.error().text();
}

TEST(RunSpec, TheCanonicalDocumentReadsBackToItself) {
  const Json full = to_json(read(Json{{"seed", 7},
                                      {"threads", 2},
                                      {"model", {{"dim", 64}, {"tied", false}}},
                                      {"data", {{"extensions", {".c"}}, {"tokenizer", "byte"}}},
                                      {"optim", {{"schedule", "linear"}}},
                                      {"method", {{"low_rank", {{"rank", 8}}}}}}));
  EXPECT_EQ(to_json(read(full)).dump(), full.dump());
  EXPECT_EQ(full["model"]["dim"], 64);
  EXPECT_EQ(full["optim"]["schedule"], "linear");
  EXPECT_EQ(full["method"]["low_rank"]["rank"], 8);
}

TEST(RunSpec, HoldsEveryListedParameterAndNothingElse) {
  Json every_method = Json::object();
  for (const Method& method : methods()) {
    every_method[std::string(method.id)] = Json::object();
  }
  const Json full = to_json(read(Json{{"method", every_method}}));
  std::set<std::string> listed;
  for (const ParamInfo& param : run_spec_params()) {
    EXPECT_FALSE(get_path(full, param.path).is_null()) << param.path;
    EXPECT_TRUE(listed.insert(param.path).second) << param.path << " is listed twice";
    EXPECT_FALSE(param.help.empty()) << param.path << " has no help text";
  }
  const Json flat = full.flatten();
  for (const auto& [place, unused] : flat.items()) {
    std::string path = place.substr(1);
    std::replace(path.begin(), path.end(), '/', '.');
    for (const std::string list :
         {"data.extensions", "method.dkm.targets", "method.galore.targets", "method.hydra.targets",
          "method.lora.targets", "method.ssf.targets", "method.velora.targets"}) {
      path = path.starts_with(list + ".") ? list : path;
    }
    EXPECT_TRUE(listed.contains(path)) << path << " is written but not listed";
  }
}

TEST(RunSpec, OrderOfKeysAndLeftOutDefaultsDoNotChangeTheIdentity) {
  const RunSpec a = read(Json{{"seed", 1}, {"model", {{"dim", 128}, {"layers", 2}}}});
  const RunSpec b = read(Json{{"model", {{"layers", 2}}}, {"seed", 1}});
  EXPECT_EQ(spec_hash(a), spec_hash(b));
}

TEST(RunSpec, TheNameIsNoPartOfTheIdentityButTheSeedIs) {
  RunSpec a = read(Json::object());
  RunSpec b = a;
  b.name = "renamed";
  EXPECT_EQ(spec_hash(a), spec_hash(b));
  b.train.seed = 9;
  EXPECT_NE(spec_hash(a), spec_hash(b));
  EXPECT_EQ(spec_hash(a, true), spec_hash(b, true));
  b.train.optim.lr *= 2;
  EXPECT_NE(spec_hash(a, true), spec_hash(b, true));
}

TEST(RunSpec, TellsAllErrorsAtOnce) {
  const std::string message = refusal(Json{{"modl", Json::object()},
                                           {"threads", -1},
                                           {"model", {{"dim", "wide"}, {"layer", 2}}},
                                           {"optim", {{"schedule", "stairs"}}},
                                           {"method", {{"lowrank", Json::object()}}}});
  EXPECT_THAT(message, AllOf(HasSubstr("unknown key modl; the nearest is model"),
                             HasSubstr("threads=-1"), HasSubstr("model.dim=\"wide\""),
                             HasSubstr("unknown key model.layer; the nearest is layers"),
                             HasSubstr("cosine, linear, constant"),
                             HasSubstr("unknown key method.lowrank; the nearest is low_rank")));
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 5);
}

TEST(RunSpec, RefusesWrongTypesAndRangesNamingWhatIsLegal) {
  EXPECT_THAT(refusal(Json{{"model", {{"dim", 4}}}}),
              AllOf(HasSubstr("model.dim=4"), HasSubstr("from 8 to 16384")));
  EXPECT_THAT(refusal(Json{{"train", {{"steps", 1.5}}}}), HasSubstr("a whole number"));
  EXPECT_THAT(refusal(Json{{"train", {{"steps", 1e300}}}}), HasSubstr("train.steps"));
  EXPECT_THAT(refusal(Json{{"train", {{"steps", 18446744073709551615ULL}}}}),
              HasSubstr("train.steps"));
  EXPECT_THAT(refusal(Json{{"optim", {{"lr", nullptr}}}}), HasSubstr("optim.lr=null"));
  EXPECT_THAT(refusal(Json{{"model", {{"tied", 1}}}}), HasSubstr("true or false"));
  EXPECT_THAT(refusal(Json{{"data", {{"extensions", {".py", 3}}}}}), HasSubstr("a list of texts"));
  EXPECT_THAT(refusal(Json{{"model", 3}}), HasSubstr("model must be a JSON object"));
  EXPECT_THAT(refusal(Json{{"method", Json::array()}}), HasSubstr("method"));
  EXPECT_THAT(refusal(Json{{"method", {{"low_rank", 3}}}}), HasSubstr("method.low_rank"));
  EXPECT_THAT(refusal(Json::array()), HasSubstr("a JSON object"));
}

TEST(RunSpec, WholeNumbersMayBeWrittenAsReals) {
  EXPECT_EQ(read(Json{{"train", {{"steps", 1e3}}}}).train.train.steps, 1000);
}

TEST(RunSpec, TakesTheEndOfAPathForIt) {
  EXPECT_EQ(resolve_param("lora.alpha").value(), "method.lora.alpha");
  EXPECT_EQ(resolve_param("alpha").value(), "method.lora.alpha");
  EXPECT_EQ(resolve_param("method.lora.alpha").value(), "method.lora.alpha");
  EXPECT_FALSE(resolve_param("ora.alpha").ok());
}

TEST(RunSpecOverride, TakesPathsAndUniqueShortNames) {
  Json document = Json{{"model", {{"dim", 64}}}};
  for (const char* assignment :
       {"lr=3e-4", "model.layers=2", "rank=16", "steps=1e4", "tokenizer=byte", "tied=no",
        "extensions=[.c,.h]", "targets=q,v"}) {
    const Result<void> applied = apply_override(assignment, document);
    EXPECT_TRUE(applied.ok()) << applied.error().text();
  }
  const RunSpec spec = read(document);
  EXPECT_EQ(spec.train.optim.lr, 3e-4);
  EXPECT_EQ(spec.train.model.dim, 64);
  EXPECT_EQ(spec.train.model.layers, 2);
  EXPECT_EQ(spec.train.method["low_rank"]["rank"], 16);
  EXPECT_EQ(spec.train.method["lora"]["targets"], (Json{"q", "v"}));
  EXPECT_EQ(spec.train.train.steps, 10000);
  EXPECT_EQ(spec.train.data.tokenizer, TokenizerKind::kByte);
  EXPECT_FALSE(spec.train.model.tied);
  EXPECT_EQ(spec.train.data.extensions, (std::vector<std::string>{".c", ".h"}));
}

TEST(RunSpecOverride, ALaterOneWins) {
  Json document = Json::object();
  EXPECT_TRUE(apply_override("lr=1", document).ok());
  EXPECT_TRUE(apply_override("optim.lr=2", document).ok());
  EXPECT_EQ(read(document).train.optim.lr, 2);
}

TEST(RunSpecOverride, AValueMayHoldAnEqualsSign) {
  Json document = Json::object();
  EXPECT_TRUE(apply_override("data.path=/tmp/a=b", document).ok());
  EXPECT_EQ(read(document).train.data.path, "/tmp/a=b");
}

TEST(RunSpecOverride, RefusesAndNamesTheRemedy) {
  EXPECT_THAT(override_refusal("rnak=4"), HasSubstr("method.low_rank.rank"));
  EXPECT_THAT(override_refusal("vocab_size=300"),
              AllOf(HasSubstr("model.vocab_size"), HasSubstr("data.vocab_size"),
                    HasSubstr("the whole path")));
  EXPECT_THAT(override_refusal("lr"), HasSubstr("key=value"));
  EXPECT_THAT(override_refusal("=3"), HasSubstr("key=value"));
  EXPECT_THAT(override_refusal("model=3"), HasSubstr("unknown parameter model"));
  EXPECT_THAT(override_refusal("lr=11"), HasSubstr("from 0 to 10"));
  EXPECT_THAT(override_refusal("lr=nan"), HasSubstr("a number"));
  EXPECT_THAT(override_refusal("lr=inf"), HasSubstr("a number"));
  EXPECT_THAT(override_refusal("steps="), HasSubstr("a whole number"));
  EXPECT_THAT(override_refusal("steps=12x"), HasSubstr("a whole number"));
  EXPECT_THAT(override_refusal("steps=99999999999999999999"), HasSubstr("a whole number"));
  EXPECT_THAT(override_refusal("tied=maybe"), HasSubstr("true or false"));
  EXPECT_THAT(override_refusal("schedule=cos"), HasSubstr("one of cosine, linear, constant"));
}

TEST(RunSpecPath, ReadsAndWritesByDots) {
  Json document = Json{{"a", {{"b", 1}}}, {"text", "x"}};
  EXPECT_EQ(get_path(document, "a.b"), 1);
  EXPECT_TRUE(get_path(document, "a.c").is_null());
  EXPECT_TRUE(get_path(document, "text.b").is_null());
  set_path(document, "a.c.d", 2);
  EXPECT_EQ(get_path(document, "a.c.d"), 2);
  EXPECT_EQ(get_path(document, "a.b"), 1);
}

TEST(RunSpecDiff, NamesEachParameterThatDiffersOnce) {
  const Json a = to_json(read(Json{{"name", "a"}, {"seed", 1}}));
  const Json b =
      to_json(read(Json{{"name", "b"}, {"seed", 2}, {"method", {{"low_rank", {{"rank", 4}}}}}}));
  const std::vector<SpecDifference> differences = diff_specs(a, b);
  ASSERT_GE(differences.size(), 2u);
  EXPECT_EQ(differences[0].path, "seed");
  EXPECT_EQ(differences[0].a, "1");
  EXPECT_EQ(differences[0].b, "2");
  EXPECT_EQ(differences[1].path, "method.low_rank.rank");
  EXPECT_EQ(differences[1].a, "-");
  EXPECT_EQ(differences[1].b, "4");
  EXPECT_TRUE(diff_specs(a, a).empty());
}

}  // namespace
}  // namespace lathe::experiments
