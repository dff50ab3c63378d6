// What every registered method promises, held to each row of the registry: a new method is covered
// by adding its case to `lossless()` and nothing else.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "engine/methods/method.h"
#include "engine/train/trainer.h"
#include "tests/methods/tiny_run.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

using test::make_run;
using test::tiny_spec;
using TestRun = test::TinyRun;

constexpr std::int64_t kVocab = test::kTinyVocab;

// Parameters with which a method changes nothing that a forward pass can see; a method without an
// entry fails the test.
Json lossless(std::string_view id) {
  if (id == "dkm") {
    return {{"bits", 3}, {"begin_after", 1}};
  }
  if (id == "galore") {
    return {{"rank", 4}};
  }
  if (id == "hydra") {
    return {{"rank", 4}, {"sequential_rank", 3}, {"targets", {"all"}}};
  }
  if (id == "lora") {
    return {{"rank", 4}, {"targets", {"all"}}};
  }
  if (id == "low_rank") {
    return {{"rank_fraction", 1.0}, {"init", "spectral"}};
  }
  if (id == "ssf") {
    return {{"enabled", true}};
  }
  if (id == "velora") {
    return {{"groups", 4}};
  }
  return nullptr;
}

// Parameters with which it saves.
Json lossy(std::string_view id) {
  if (id == "dkm") {
    return {{"bits", 3}, {"iterations", 2}, {"row_scale", "largest"}};
  }
  if (id == "galore") {
    return {{"rank", 4}, {"alpha", 1.0}, {"update_every", 10}, {"per_layer", true}};
  }
  if (id == "hydra") {
    return {{"rank", 1}, {"sequential_rank", 1}, {"targets", {"up"}}, {"train_rest", true}};
  }
  if (id == "lora") {
    return {{"rank", 4}, {"targets", {"all"}}, {"train_rest", true}, {"restart_every", 13}};
  }
  if (id == "low_rank") {
    return {{"rank", 6}};
  }
  if (id == "ssf") {
    return {{"enabled", true}, {"train_rest", true}};
  }
  if (id == "velora") {
    return {{"sub_token_size", 8}, {"targets", {"all"}}, {"state", "factored"}};
  }
  return nullptr;
}

class Contract : public testing::TestWithParam<Method> {
 protected:
  TrainSpec with(const Json& params) const {
    TrainSpec spec = tiny_spec();
    std::vector<std::string> errors;
    spec.method[std::string(GetParam().id)] = GetParam().normalise(params, "method", errors);
    EXPECT_TRUE(errors.empty());
    return spec;
  }
};

TEST_P(Contract, DefaultsAreLegalAndSurviveJson) {
  std::vector<std::string> errors;
  const Json defaults = GetParam().normalise(Json::object(), "method", errors);
  const Json again =
      GetParam().normalise(parse_json(defaults.dump(), "defaults").value(), "method", errors);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(defaults.dump(), again.dump());
}

TEST_P(Contract, EveryParameterIsDescribed) {
  std::vector<ParamInfo> params;
  GetParam().append_params("method.x", params);
  std::vector<std::string> errors;
  const Json defaults = GetParam().normalise(Json::object(), "method", errors);
  EXPECT_EQ(params.size(), defaults.size());
  for (const ParamInfo& param : params) {
    EXPECT_FALSE(param.help.empty()) << param.path;
    EXPECT_LE(param.lo, param.hi) << param.path;
  }
}

TEST_P(Contract, LosslessSettingsComputeWhatTheDenseModelComputes) {
  ASSERT_FALSE(lossless(GetParam().id).is_null()) << "add the method's case to lossless()";
  TestRun dense = make_run(tiny_spec());
  TestRun method = make_run(with(lossless(GetParam().id)));
  EXPECT_NEAR(dense.trainer->evaluate()->loss, method.trainer->evaluate()->loss, 1e-4);
}

TEST_P(Contract, ItLearns) {
  TestRun run = make_run(with(lossy(GetParam().id)));
  const double before = run.trainer->evaluate()->loss;
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(run.trainer->step().ok());
  }
  EXPECT_LT(run.trainer->evaluate()->loss, 0.8 * before);
}

TEST_P(Contract, DeclaredBytesAreTheLedgersBytes) {
  const TrainSpec spec = with(lossy(GetParam().id));
  const auto plan = plan_step(spec, {.parallelism = 2});
  ASSERT_TRUE(plan.ok());
  TestRun run = make_run(spec);
  const StepReport step = *run.trainer->step();
  EXPECT_EQ(plan->peak.by_category, step.peak.by_category);
  const auto dense = plan_step(tiny_spec(), {.parallelism = 2});
  EXPECT_TRUE(plan->peak.live_bytes < dense->peak.live_bytes ||
              plan->stored_bytes < dense->stored_bytes)
      << "the lossy setting saves";
}

TEST_P(Contract, ACheckpointContinuesToTheSameBits) {
  const TrainSpec spec = with(lossy(GetParam().id));
  const fs::path folder =
      fs::temp_directory_path() / ("lathe_contract_" + std::to_string(getpid()));
  TestRun first = make_run(spec);
  ASSERT_TRUE(first.trainer->step().ok());
  ASSERT_TRUE(first.trainer->save((folder / "one").string()).ok());
  TestRun second = make_run(spec);
  ASSERT_TRUE(second.trainer->load((folder / "one").string()).ok());
  EXPECT_EQ(first.trainer->step()->loss, second.trainer->step()->loss);
  EXPECT_EQ(first.trainer->parameter_digest(), second.trainer->parameter_digest());
  fs::remove_all(folder);
}

TEST_P(Contract, NothingIsLeftInTheLedger) {
  auto backend = std::move(*make_backend("cpu", 2));
  {
    std::vector<std::string> warnings;
    auto trainer = make_trainer(*backend, with(lossy(GetParam().id)),
                                test::learnable_tokens(kVocab, 2000), warnings);
    ASSERT_TRUE((*trainer)->step().ok());
  }
  EXPECT_EQ(backend->ledger().live().live_bytes, 0);
}

INSTANTIATE_TEST_SUITE_P(Registry, Contract, testing::ValuesIn(methods().begin(), methods().end()),
                         [](const auto& row) { return std::string(row.param.id); });

// What makes a model of a model that exists: no slot of a training run, so not in the registry.
const std::set<std::string> kOnFinishedModels{"lord", "quant"};

// A method is a folder with a README, a line in the registry and a smallest config.
TEST(Completeness, EveryFolderIsRegisteredDocumentedAndHasAConfig) {
  const fs::path root = LATHE_SOURCE_DIR;
  std::set<std::string> folders;
  for (const auto& entry : fs::directory_iterator(root / "engine/methods")) {
    if (entry.is_directory()) {
      folders.insert(entry.path().filename().string());
    }
  }
  std::set<std::string> registered;
  for (const Method& method : methods()) {
    registered.insert(std::string(method.id));
  }
  for (const std::string& id : kOnFinishedModels) {
    EXPECT_TRUE(fs::exists(root / "engine/methods" / id / "README.md")) << id;
    EXPECT_EQ(folders.erase(id), 1u) << id;
  }
  EXPECT_EQ(folders, registered);
  for (const std::string& id : folders) {
    EXPECT_TRUE(fs::exists(root / "engine/methods" / id / "README.md")) << id;
    EXPECT_TRUE(fs::exists(root / "assets/configs" / (id + "_tiny.json"))) << id;
    EXPECT_TRUE(fs::exists(root / "tests/methods" / (id + "_test.cpp"))) << id;
  }
}

}  // namespace
}  // namespace lathe
