// Healing: a model that was truncated learns again what it was, drawn towards the dense one.
#include <gmock/gmock.h>

#include "engine/methods/lord/solver.h"
#include "experiments/predict.h"
#include "experiments/replay_run.h"
#include "tests/experiments/base_model_fixture.h"

namespace lathe::experiments {
namespace {

using ::testing::HasSubstr;

// `slot` of the model as the best product of that rank.
FactoredSlot truncated(const ModelFile& model, const LinearPlan& slot, std::int64_t rank) {
  const std::vector<float> weight = model.floats(slot.name + ".weight");
  const auto solution =
      solve_layer({.out = slot.out, .in = slot.in, .weight = weight}, {.solver = LordSolver::kSvd});
  const LayerFactors factors = solution->factors(rank);
  FactoredSlot made{.plan = slot, .a = {}, .b = {}, .bias = {}};
  made.plan.storage = LinearStorage::kLowRank;
  made.plan.rank = rank;
  made.a.assign(factors.a.begin(), factors.a.end());
  made.b.assign(factors.b.begin(), factors.b.end());
  return made;
}

class HealingTest : public BaseModelTest {
 protected:
  // A model that has learnt the samples, and what is left of it at low ranks.
  HealingTest() {
    TrainSpec& train = request_.spec.train;
    train.train.steps = 40;
    train.train.eval_every = 40;
    train.optim.lr = 2e-2;
    EXPECT_EQ(run_one(request_, ports_).state, RunState::kDone);
    const ModelConfig config = *settle_model(train.model);
    const ModelFile learnt = newest_checkpoint(config, dense_plan(config));
    dense_ = written(learnt, "dense");
    std::vector<FactoredSlot> slots;
    for (const LinearPlan& slot : learnt.plans()) {
      slots.push_back(truncated(learnt, slot, 1));
    }
    small_ = written(ModelFile::with_factors(learnt, std::move(slots)), "small");
    witness_.events.clear();
    train.model = {};
    train.model.from = small_;
    train.distill = {.from = dense_, .weight = 0.7, .temperature = 2};
    train.train.steps = 20;
    train.train.eval_every = 20;
    train.optim.lr = 5e-3;
  }
  std::string refusal() {
    const RunOutcome outcome = run_one(request_, ports_);
    EXPECT_TRUE(outcome.error);
    return outcome.error ? outcome.error->text() : "";
  }

  std::string dense_, small_;
};

TEST_F(HealingTest, LowersTheLossOfWhatWasTruncatedAndRepeats) {
  const RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  const auto held_out = series("eval/loss");
  EXPECT_LT(held_out.at(20), 0.7 * held_out.at(0));
  const auto created = witness_.all<RunCreated>();
  EXPECT_EQ(created[0].spec["distill"]["from"], dense_);
  EXPECT_EQ(created[0].spec["distill"]["from_hash"].get<std::string>().size(), 64u);
  // What was planned is what was needed, the teacher's mapped weights with it.
  EXPECT_EQ(created[0].predicted_peak_bytes, witness_.all<MemorySample>().back().peak.live_bytes);

  const auto first = digests();
  const auto losses = series("train/loss");
  witness_.events.clear();
  request_.spec = *run_spec_from_json(created[0].spec);
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_EQ(digests(), first);
  EXPECT_EQ(series("train/loss"), losses);
}

TEST_F(HealingTest, TheTeacherDecidesWhatIsLearnt) {
  request_.spec.train.distill.weight = 1;
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  const double near = series("train/loss").at(20);
  EXPECT_LT(near, 0.5 * series("train/loss").at(1));
  witness_.events.clear();
  request_.spec.train.distill = {};
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_NE(series("train/loss").at(20), near);
}

TEST_F(HealingTest, OneFactorAfterTheOther) {
  const ModelFile before = *ModelFile::open(small_);
  request_.spec.train.train.parts = TrainedParts::kFactorB;
  request_.last_step = 10;
  RunOutcome outcome = run_one(request_, ports_);
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  std::int64_t trained = 0;
  for (const ModelTensor& tensor : before.tensors()) {
    const bool factor = tensor.name.ends_with(".b");
    trained += factor ? tensor.elements() : 0;
    EXPECT_EQ(saved(tensor.name) == before.floats(tensor.name), !factor) << tensor.name;
  }
  const auto samples = witness_.all<MemorySample>();
  const auto optimizer = static_cast<std::size_t>(Category::kOptimizer);
  EXPECT_LE(samples.back().live.by_category[optimizer], 8 * trained + 28 * kGranule);
  EXPECT_EQ(witness_.all<RunCreated>()[0].predicted_peak_bytes, samples.back().peak.live_bytes);

  // Goes on to the same bits.
  request_ = continued();
  request_.last_step = 0;
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  const auto resumed = digests().at(20);
  witness_.events.clear();
  request_.checkpoint.clear();
  request_.from_step = 0;
  request_.attempt = 1;
  ASSERT_EQ(run_one(request_, ports_).state, RunState::kDone);
  EXPECT_EQ(digests().at(20), resumed);
}

TEST_F(HealingTest, WhatCannotBeComparedIsRefused) {
  TrainSpec& train = request_.spec.train;
  train.distill.from = "no-such-model";
  EXPECT_THAT(refusal(), HasSubstr("distill.from=no-such-model"));
  train.distill.from = dense_;
  train.distill.from_hash = std::string(64, '0');
  EXPECT_THAT(refusal(), HasSubstr("distill.from_hash"));
  train.distill.from_hash.clear();

  ModelConfig wider = byte_llama();
  wider.vocab_size = 264;
  const test::ModelFolder other("other_vocabulary");
  other.write_llama(wider, test::distinct_values(wider));
  train.distill.from = other.path().string();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("264 tokens"), HasSubstr("260")));

  const test::ModelFolder foreign("other_tokens");
  foreign.write_llama(byte_llama(), test::distinct_values(byte_llama()));
  Json tokens = test::byte_tokenizer_json();
  std::swap(tokens["model"]["vocab"]["a"], tokens["model"]["vocab"]["b"]);
  foreign.write("tokenizer.json", tokens.dump());
  train.distill.from = foreign.path().string();
  EXPECT_THAT(refusal(), AllOf(HasSubstr("tokenizer"), HasSubstr("token 97")));

  train.distill.from = dense_;
  train.model = {.dim = 32, .layers = 2, .heads = 2};
  EXPECT_THAT(refusal(), HasSubstr("makes one from its corpus"));
}

TEST_F(HealingTest, FactorsThatAreNotThereCannotBeTrained) {
  TrainSpec& train = request_.spec.train;
  train.model.from = dense_;
  train.train.parts = TrainedParts::kFactors;
  EXPECT_THAT(refusal(), HasSubstr("train.parts=factors trains nothing"));
}

}  // namespace
}  // namespace lathe::experiments
