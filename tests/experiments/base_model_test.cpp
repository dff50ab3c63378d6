// Runs that begin with a model: its shape, weights, tokenizer and template become the run's.
#include "experiments/base_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/data/token_source.h"
#include "engine/lm/adapter_export.h"
#include "engine/lm/model_export.h"
#include "engine/lm/rounded_base.h"
#include "engine/quant/stored_matrix.h"
#include "engine/train/model_plan.h"
#include "experiments/predict.h"
#include "experiments/replay_run.h"
#include "tests/experiments/base_model_fixture.h"
#include "tests/support/factored_slot.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

TEST_F(BaseModelTest, TheShapeIsThatOfTheFile) {
  const auto settled = settle_model({.from = model_.path().string()});
  ASSERT_TRUE(settled.ok()) << settled.error().text();
  EXPECT_EQ(settled->dim, 32);
  EXPECT_EQ(settled->kv_heads, 2);
  EXPECT_EQ(settled->vocab_size, 260);
  EXPECT_FALSE(settled->tied);
  EXPECT_EQ(settled->from_hash.size(), 64u);
  const auto again = settle_model(*settled);  // as a recorded spec is
  ASSERT_TRUE(again.ok()) << again.error().text();
  EXPECT_EQ(to_json(*again), to_json(*settled));
  EXPECT_EQ(to_json(*settle_model({.dim = 24})), to_json(ModelConfig{.dim = 24}));
}

TEST_F(BaseModelTest, PlansKnowTheShape) {
  const auto plan = plan_run(request_.spec, 1);
  ASSERT_TRUE(plan.ok()) << plan.error().text();
  const std::int64_t block = 32 * (32 + 16 + 16 + 32) + 3 * 32 * 64 + 2 * 32;
  EXPECT_EQ(plan->parameters, 2 * 260 * 32 + 2 * block + 32);
}

TEST_F(BaseModelTest, WhatContradictsTheFileIsNamed) {
  EXPECT_THAT(
      settling_error({.dim = 64, .layers = 3, .from = model_.path().string()}),
      AllOf(HasSubstr("model.dim=64, but "), HasSubstr("has 32"), HasSubstr("model.layers=3")));
  EXPECT_THAT(settling_error({.from = "no-such-model"}),
              AllOf(HasSubstr("model.from=no-such-model"), HasSubstr("lathe ls models")));
  EXPECT_THAT(settling_error({.from = model_.path().string(), .from_hash = std::string(64, '0')}),
              HasSubstr("holds other weights"));
  model_.write("config.json", "{}");
  EXPECT_THAT(settling_error({.from = model_.path().string()}), HasSubstr("config.json"));
}

TEST_F(BaseModelTest, AMethodThatRemakesSlotsIsRefused) {
  request_.spec.train.method = {{"low_rank", {{"rank", 4}}}};
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_TRUE(outcome.error);
  EXPECT_THAT(outcome.error->text(), HasSubstr("brings the weight of layers.0.attention.q"));
}

TEST_F(BaseModelTest, FactorsThatTheModelBringsAreTrained) {
  const ModelFile dense = *ModelFile::open(model_.path());
  const std::string slot = "layers.1.mlp.up";
  const ModelFile file = ModelFile::with_factors(dense, {test::factored(dense, slot, 6, true)});
  TrainSpec& train = request_.spec.train;
  train.model.from = written(file, "factored");
  train.train.steps = 30;
  train.optim.lr = 2e-2;
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  EXPECT_LT(series("eval/loss").at(30), 0.9 * series("eval/loss").at(0));
  EXPECT_NE(saved(slot + ".a"), file.floats(slot + ".a"));
  EXPECT_EQ(saved(slot + ".b").size(), file.floats(slot + ".b").size());
  // What was planned is what was needed.
  const auto created = witness_.all<RunCreated>();
  const auto memory = witness_.all<MemorySample>();
  EXPECT_EQ(created[0].predicted_peak_bytes, memory.back().peak.live_bytes);
}

TEST_F(BaseModelTest, AdaptersLearnBesideWeightsAsTheyAreStored) {
  const ModelFile dense = *ModelFile::open(model_.path());
  const auto backend = make_backend("cpu", 1);
  const auto report = export_model(**backend, dense, dense.plans(),
                                   {.format = ModelFormat::kGguf,
                                    .type = StoredType::kQ8_0,
                                    .out = model_.path() / "q8.gguf",
                                    .name = "q8"});
  ASSERT_TRUE(report.ok()) << report.error().text();
  TrainSpec& train = request_.spec.train;
  train.model.from = (model_.path() / "q8.gguf").string();
  train.train.steps = 30;
  train.optim.lr = 2e-2;
  train.method = {{"lora", {{"rank", 4}, {"targets", {"all"}}}}};
  request_.spec = *run_spec_from_json(to_json(request_.spec));
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  EXPECT_LT(series("eval/loss").at(30), 0.97 * series("eval/loss").at(0));
  const auto created = witness_.all<RunCreated>();
  const LedgerSnapshot peak = witness_.all<MemorySample>().back().peak;
  EXPECT_EQ(created[0].predicted_peak_bytes, peak.live_bytes);
  const std::int64_t weights = peak.by_category[static_cast<std::size_t>(Category::kWeights)];
  EXPECT_LT(weights, dense.parameters() * 9 / 8);  // 34 bytes for 32 of a matrix

  // Its checkpoint has what the file has not.
  const fs::path folder = witness_.all<CheckpointSaved>().back().path;
  const auto saved = SafetensorsFile::open(folder / "weights.safetensors");
  EXPECT_EQ(saved->find("layers.0.attention.q.weight"), nullptr);
  EXPECT_NE(saved->find("layers.0.attention.q.lora_a"), nullptr);
  std::vector<std::string> warnings;
  const auto resolved = resolve_model(train);
  const auto plans = plan_slots(*resolved, warnings);
  const ModelFile file = *ModelFile::open(train.model.from);
  const auto whole = ModelFile::open_checkpoint(folder, resolved->model, *plans, &file);
  ASSERT_TRUE(whole.ok()) << whole.error().text();
  EXPECT_EQ(whole->parameters(), dense.parameters());
  EXPECT_FALSE(ModelFile::open_checkpoint(folder, resolved->model, *plans).ok());

  const auto first = digests();
  witness_.events.clear();
  request_.spec = *run_spec_from_json(created[0].spec);
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_EQ(digests(), first);
}

TEST_F(BaseModelTest, MatricesAreRoundedWhenTheRunBegins) {
  TrainSpec& train = request_.spec.train;
  train.train.frozen = FrozenStore::kQ8_0;
  train.train.steps = 30;
  train.optim.lr = 2e-2;
  EXPECT_THAT(run_one(request_, ports_).error->text(), HasSubstr("set method.lora.rank"));
  train.method = {{"lora", {{"rank", 4}, {"targets", {"all"}}}}};
  request_.spec = *run_spec_from_json(to_json(request_.spec));
  witness_.events.clear();
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  const auto created = witness_.all<RunCreated>();
  const LedgerSnapshot peak = witness_.all<MemorySample>().back().peak;
  EXPECT_EQ(created[0].predicted_peak_bytes, peak.live_bytes);
  const std::int64_t blocks = 2 * (32 * (32 + 16 + 16 + 32) + 3 * 32 * 64);
  EXPECT_EQ(peak.by_category[static_cast<std::size_t>(Category::kWeights)],
            blocks * 34 / 32 + 2 * 2 * 260 * 32 + 4 * 5 * 32);

  // Merged, the run's model is the rounded one and the adapters.
  std::vector<std::string> warnings;
  const auto resolved = resolve_model(train);
  const auto plans = plan_slots(*resolved, warnings);
  const ModelFile rounded = rounded_base(*ModelFile::open(model_.path()), StoredType::kQ8_0);
  const auto whole = ModelFile::open_checkpoint(witness_.all<CheckpointSaved>().back().path,
                                                resolved->model, *plans, &rounded);
  ASSERT_TRUE(whole.ok()) << whole.error().text();
  const std::string embedding = "embedding.weight";
  EXPECT_EQ(whole->floats(embedding), rounded.floats(embedding));

  // The adapters alone are proved beside it, and would not be beside the file.
  const fs::path folder = witness_.all<CheckpointSaved>().back().path;
  const auto own = SafetensorsFile::open(folder / "weights.safetensors");
  const ModelFile file = *ModelFile::open(model_.path());
  AdapterExport request{.base = file,
                        .merged = *whole,
                        .slots = *read_adapters(*own, folder, *plans),
                        .out = model_.path() / "adapter",
                        .name = "adapter",
                        .base_name = model_.path().string()};
  const auto backend = make_backend("cpu", 1);
  EXPECT_THAT(export_adapter(**backend, request).error().text(), HasSubstr("other logits"));
  request.rounded_to = StoredType::kQ8_0;
  const auto exported = export_adapter(**backend, request);
  ASSERT_TRUE(exported.ok()) << exported.error().text();

  // A file of the same values is the same beginning.
  const double before = series("eval/loss").at(0);
  EXPECT_LT(series("eval/loss").at(30), 0.97 * before);
  train.model = {};
  train.model.from = written(rounded, "rounded");
  train.train.frozen = FrozenStore::kFile;
  witness_.events.clear();
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_NEAR(series("eval/loss").at(0), before, 1e-5 * before);
}

TEST_F(BaseModelTest, AdaptersBesideRoundedMatricesLearnFromProjections) {
  TrainSpec& train = request_.spec.train;
  train.train.frozen = FrozenStore::kQ8_0;
  train.train.recompute = Recompute::kNone;
  train.train.steps = 30;
  train.optim.lr = 2e-2;
  const Json lora{{"rank", 4}, {"targets", {"v", "down"}}};
  const auto kept = [&](const Json& method) {
    request_.spec.train.method = method;
    request_.spec = *run_spec_from_json(to_json(request_.spec));
    witness_.events.clear();
    const RunOutcome outcome = run_one(request_, ports_);
    EXPECT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
    const LedgerSnapshot peak = witness_.all<MemorySample>().back().peak;
    EXPECT_EQ(witness_.all<RunCreated>()[0].predicted_peak_bytes, peak.live_bytes);
    return peak.by_category[static_cast<std::size_t>(Category::kActivations)];
  };
  const std::int64_t whole = kept({{"lora", lora}});
  const std::int64_t projected =
      kept({{"lora", lora}, {"velora", {{"groups", 8}, {"targets", {"v", "down"}}}}});
  EXPECT_LT(projected, whole);
  EXPECT_LT(series("eval/loss").at(30), 0.97 * series("eval/loss").at(0));
}

TEST_F(BaseModelTest, ProductsInIntegersNeedMatricesThatStayInt8) {
  TrainSpec& train = request_.spec.train;
  train.train.int8_products = true;
  train.train.steps = 8;
  EXPECT_THAT(run_one(request_, ports_).error->text(),
              AllOf(HasSubstr("train.int8_products=true reads matrices of int8_row"),
                    HasSubstr("has none")));
  const ModelFile dense = *ModelFile::open(model_.path());
  std::map<std::string, StoredValues> weights;
  for (const LinearPlan& slot : dense.plans()) {
    const std::vector<float> values = dense.floats(slot.name + ".weight");
    StoredValues& stored = weights[slot.name + ".weight"];
    stored.type = StoredType::kInt8Row;
    stored.bytes.resize(static_cast<std::size_t>(matrix_bytes(DType::kInt8Row, slot.out, slot.in)));
    encode_matrix(DType::kInt8Row, values.data(), slot.out, slot.in, stored.bytes.data());
  }
  train.model.from = written(ModelFile::with_stored(dense, std::move(weights)), "int8");
  EXPECT_THAT(run_one(request_, ports_).error->text(), HasSubstr("this run trains them"));

  train.optim.lr = 1e-2;
  train.method = {{"lora", {{"rank", 4}, {"targets", {"all"}}}}};
  request_.spec = *run_spec_from_json(to_json(request_.spec));
  std::map<bool, std::map<std::int64_t, double>> losses;
  for (const bool integers : {false, true}) {
    witness_.events.clear();
    request_.spec.train.train.int8_products = integers;
    const RunOutcome outcome = run_one(request_, ports_);
    ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
    losses[integers] = series("eval/loss");
    // What was planned is what was needed.
    EXPECT_EQ(witness_.all<RunCreated>()[0].predicted_peak_bytes,
              witness_.all<MemorySample>().back().peak.live_bytes);
  }
  EXPECT_NE(losses[true].at(0), losses[false].at(0));
  EXPECT_NEAR(losses[true].at(0), losses[false].at(0), 0.02);
  EXPECT_LT(losses[true].at(8), losses[true].at(0));
}

TEST_F(BaseModelTest, AModelWithoutATokenizerIsRefused) {
  fs::remove(model_.path() / "tokenizer.json");
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_TRUE(outcome.error);
  EXPECT_THAT(outcome.error->text(), HasSubstr("has no tokenizer"));
}

// A step of AdamW moves no weight further than about lr.
TEST_F(BaseModelTest, TrainingBeginsAtItsWeights) {
  request_.spec.train.train.steps = 1;
  request_.spec.train.optim.lr = 1e-7;
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  for (const auto& [name, values] : test::distinct_values(byte_llama())) {
    const std::vector<float> after = saved(name);
    ASSERT_EQ(after.size(), values.size()) << name;
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(after[i], values[i], 1e-6) << name;
    }
  }
}

TEST_F(BaseModelTest, FineTuningOnSamplesLearnsAndRepeats) {
  TrainSpec& train = request_.spec.train;
  train.train.steps = 30;
  train.train.eval_every = 10;
  train.optim.lr = 2e-2;
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  const auto held_out = series("eval/loss");
  ASSERT_EQ(held_out.size(), 4u);  // before the first step, too
  EXPECT_LT(held_out.at(30), 0.8 * held_out.at(0));
  const Json recorded = witness_.all<RunCreated>()[0].spec;
  EXPECT_EQ(recorded["model"]["dim"], 32);
  EXPECT_EQ(recorded["model"]["from"], model_.path().string());
  EXPECT_EQ(recorded["model"]["from_hash"].get<std::string>().size(), 64u);

  const auto first = digests();
  witness_.events.clear();
  request_.spec = *run_spec_from_json(recorded);
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_EQ(digests(), first);
}

TEST_F(BaseModelTest, RunningTextIsReadWithItsTokenizer) {
  fs::create_directories(model_.path() / "text");
  for (int i = 0; i < 40; ++i) {
    model_.write("text/" + std::to_string(i) + ".txt",
                 "caf\xC3\xA9 <|im_end|> " + std::string(200, 'a'));
  }
  TrainSpec& train = request_.spec.train;
  train.data.kind = DataKind::kText;
  train.data.path = (model_.path() / "text").string();
  const auto base = open_base_model(*settle_model(train.model));
  ASSERT_TRUE(base.ok()) << base.error().text();
  for (const char* time : {"first", "from the cache"}) {
    SCOPED_TRACE(time);
    const auto corpus = open_corpus(train.data, 16, base->encoding, {});
    ASSERT_TRUE(corpus.ok()) << corpus.error().text();
    EXPECT_EQ((*corpus)->info().vocab_size, 258);
    const auto ids = (*corpus)->tokens(Split::kTrain);
    EXPECT_THAT((*corpus)->decode(ids.first(30)), HasSubstr("caf\xC3\xA9 <|im_end|> aaaa"));
    EXPECT_EQ(ids[0], 'c');
    EXPECT_NE(ids[6], 257);  // written out in a text it is no mark
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 257) +
                  std::count((*corpus)->tokens(Split::kHeldout).begin(),
                             (*corpus)->tokens(Split::kHeldout).end(), 257),
              40);  // behind each document
  }
  const auto own = open_corpus(train.data, 16, {}, {});
  ASSERT_TRUE(own.ok()) << own.error().text();
  EXPECT_NE((*own)->tokenizer(), nullptr);
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
}

}  // namespace
}  // namespace lathe::experiments
