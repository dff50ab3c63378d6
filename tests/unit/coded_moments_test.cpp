// Moments in 8 bits: their bytes, learning beside f32, what goes on to the same bits, and with what
// else they work.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/io/safetensors.h"
#include "engine/train/trainer.h"
#include "tests/support/memory_tokens.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDim = 64;
constexpr std::int64_t kVocab = 64;

// Its matrices have 4096 elements and more, so that each is coded. Of so many tokens the end is no
// longer a matter of chance.
TrainSpec small_spec(MomentStore state = MomentStore::k8Bit) {
  TrainSpec spec;
  spec.model = {.dim = kDim, .layers = 2, .heads = 4, .ff_dim = 128, .vocab_size = kVocab};
  spec.train = {.steps = 60, .batch_size = 4, .seq_len = 16, .eval_every = 10, .eval_batches = 16};
  spec.optim = {.lr = 5e-3, .warmup_steps = 4};
  spec.optim.state = state;
  return spec;
}

struct TestRun {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Trainer> trainer;

  void steps(int count) {
    for (int i = 0; i < count; ++i) {
      const auto step = trainer->step();
      ASSERT_TRUE(step.ok()) << step.error().text();
    }
  }
  std::int64_t live(Category category) const {
    return backend->ledger().live().by_category[static_cast<std::size_t>(category)];
  }
};

TestRun make_run(const TrainSpec& spec, const std::string& device = "cpu", int threads = 1) {
  TestRun run{std::move(*make_backend(device, threads)), nullptr};
  std::vector<std::string> warnings;
  auto trainer = make_trainer(*run.backend, spec, test::learnable_tokens(40, 40000), warnings);
  EXPECT_TRUE(trainer.ok()) << (trainer.ok() ? "" : trainer.error().text());
  run.trainer = std::move(*trainer);
  return run;
}

double heldout_after(const TrainSpec& spec, int steps, const std::string& device = "cpu") {
  TestRun run = make_run(spec, device);
  run.steps(steps);
  return run.trainer->evaluate()->loss;
}

// All tensors here are of whole granules, so that nothing is rounded up.
TEST(CodedMoments, BytesAParameterAreExact) {
  for (const bool tied : {true, false}) {
    TrainSpec spec = small_spec();
    spec.model.tied = tied;
    const TestRun run = make_run(spec);
    const std::int64_t gains = kDim * (2 * 2 + 1);
    const std::int64_t table = kVocab * kDim;
    const std::int64_t matrices = run.trainer->parameter_count() - gains - table;
    EXPECT_EQ(double(run.live(Category::kOptimizer)),
              2.03125 * double(matrices) + 8.0 * double(gains + table));
  }
}

TEST(CodedMoments, OfLearnedPositionsAreFloats) {
  TrainSpec spec = small_spec();
  spec.model.positions = PositionKind::kLearned;
  spec.model.context = kVocab;
  const std::int64_t without = make_run(small_spec()).live(Category::kOptimizer);
  EXPECT_EQ(make_run(spec).live(Category::kOptimizer) - without, 8 * kVocab * kDim);
}

TEST(CodedMoments, LearnAsFloatsDo) {
  for (const WeightStore weights : {WeightStore::kF32, WeightStore::kBf16Stochastic}) {
    TrainSpec coded = small_spec();
    TrainSpec plain = small_spec(MomentStore::kF32);
    coded.train.weights = plain.train.weights = weights;
    const double before = heldout_after(plain, 0);
    const double want = heldout_after(plain, 60);
    const double got = heldout_after(coded, 60);
    EXPECT_LT(want, 0.5 * before);
    EXPECT_NE(got, want);
    EXPECT_NEAR(got, want, 0.01 * want) << enum_name(weights);
  }
}

TEST(CodedMoments, TheReferenceFollows) {
  const double want = heldout_after(small_spec(), 4, "cpu_ref");
  EXPECT_NEAR(heldout_after(small_spec(), 4), want, 3e-3 * want);
}

TEST(CodedMoments, ThePlanIsExact) {
  for (const int threads : {1, 2}) {
    const auto plan = plan_step(small_spec(), {.parallelism = threads});
    ASSERT_TRUE(plan.ok());
    TestRun run = make_run(small_spec(), "cpu", threads);
    ASSERT_TRUE(run.trainer->step().ok());
    const StepReport step = *run.trainer->step();
    EXPECT_EQ(plan->peak.live_bytes, step.peak.live_bytes);
    EXPECT_EQ(plan->peak.by_category, step.peak.by_category);
  }
}

TEST(CodedMoments, AreTheSameWhereFiguresAreReadSeldom) {
  TrainSpec seldom = small_spec();
  seldom.train.metrics_every = 4;
  TestRun run = make_run(seldom);
  std::vector<StepReport> reports;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(run.trainer->advance(reports).ok());
  }
  ASSERT_TRUE(run.trainer->wait(reports).ok());
  TestRun other = make_run(small_spec());
  other.steps(5);
  EXPECT_EQ(run.trainer->parameter_digest(), other.trainer->parameter_digest());
}

class CodedCheckpoint : public testing::Test {
 protected:
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::temp_directory_path() / ("lathe_coded_" + std::to_string(getpid()));
};

TEST_F(CodedCheckpoint, GoesOnToTheSameBits) {
  for (const WeightStore weights : {WeightStore::kF32, WeightStore::kBf16Stochastic}) {
    TrainSpec spec = small_spec();
    spec.train.weights = weights;
    TestRun whole = make_run(spec);
    TestRun first = make_run(spec);
    whole.steps(6);
    first.steps(3);
    ASSERT_TRUE(first.trainer->save(folder_.string()).ok());
    TestRun second = make_run(spec);
    const Result<void> loaded = second.trainer->load(folder_.string());
    ASSERT_TRUE(loaded.ok()) << loaded.error().text();
    second.steps(3);
    EXPECT_EQ(second.trainer->parameter_digest(), whole.trainer->parameter_digest());
    EXPECT_EQ(second.trainer->step()->loss, whole.trainer->step()->loss);

    TestRun other = make_run(small_spec(MomentStore::kF32));
    EXPECT_FALSE(other.trainer->load(folder_.string()).ok()) << "of another spec";
  }
}

TEST_F(CodedCheckpoint, HoldsTheCodesThemselves) {
  TestRun run = make_run(small_spec());
  run.steps(2);
  ASSERT_TRUE(run.trainer->save(folder_.string()).ok());
  const auto file = SafetensorsFile::open(folder_ / "optimizer.safetensors");
  ASSERT_TRUE(file.ok());
  const std::string name = "layers.0.attention.q.weight";
  ASSERT_NE(file->find(name + ".m"), nullptr);
  EXPECT_EQ(file->find(name + ".m")->dtype, "U8");
  EXPECT_EQ(file->find(name + ".v")->dtype, "U8");
  ASSERT_NE(file->find(name + ".v.absmax"), nullptr);
  EXPECT_EQ(file->find(name + ".v.absmax")->shape, std::vector<std::int64_t>{kDim * kDim / 256});
  EXPECT_EQ(file->find("embedding.weight.m")->dtype, "F32");
  EXPECT_EQ(file->find("embedding.weight.m.absmax"), nullptr);
}

// Factors alone, and adapters that begin anew.
TEST(CodedMoments, WorkWhereverMomentsDo) {
  TrainSpec factors = small_spec();
  factors.method = {{"low_rank", {{"rank", 64}}}};
  factors.train.parts = TrainedParts::kFactorB;
  TrainSpec restarted = small_spec();
  restarted.method = {{"lora", {{"rank", 64}, {"restart_every", 3}, {"restart_warmup", 1}}}};
  for (const TrainSpec& spec : {factors, restarted}) {
    TrainSpec plain = spec;
    plain.optim.state = MomentStore::kF32;
    EXPECT_LT(make_run(spec).live(Category::kOptimizer),
              make_run(plain).live(Category::kOptimizer) / 3);
    const double want = heldout_after(plain, 20);
    EXPECT_NEAR(heldout_after(spec, 20), want, 0.01 * want);
  }
}

}  // namespace
}  // namespace lathe
