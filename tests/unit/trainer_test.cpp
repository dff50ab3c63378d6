// The trainer: learning, the plan's exactness, determinism, resuming to the same bits, divergence.
#include "engine/train/trainer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/base/rng.h"
#include "tests/support/memory_tokens.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

TrainSpec tiny_spec() {
  TrainSpec spec;
  spec.model = {.dim = 32, .layers = 2, .heads = 4, .kv_heads = 2, .ff_dim = 64, .vocab_size = 40};
  spec.train = {.steps = 40, .batch_size = 4, .seq_len = 16, .eval_every = 10, .eval_batches = 2};
  spec.optim = {.lr = 1e-2, .warmup_steps = 4};
  return spec;
}

struct TestRun {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Trainer> trainer;
};

TestRun make_run(const TrainSpec& spec, const std::string& device = "cpu", int threads = 2) {
  TestRun run{std::move(*make_backend(device, threads)), nullptr};
  std::vector<std::string> warnings;
  auto trainer = make_trainer(*run.backend, spec, test::learnable_tokens(40, 2000), warnings);
  EXPECT_TRUE(trainer.ok()) << (trainer.ok() ? "" : trainer.error().text());
  run.trainer = std::move(*trainer);
  return run;
}

class TrainerFolder : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::temp_directory_path() / ("lathe_trainer_" + std::to_string(getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string checkpoint() const { return (folder_ / "step").string(); }
  fs::path folder_;
};

TEST(Trainer, TwentyStepsLowerTheLoss) {
  for (const std::int64_t rank : {0, 6}) {
    TrainSpec spec = tiny_spec();
    spec.method = {{"low_rank", {{"rank", rank}}}};
    TestRun run = make_run(spec);
    const double before = run.trainer->evaluate()->loss;
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(run.trainer->step().ok());
    }
    const EvalReport after = *run.trainer->evaluate();
    EXPECT_LT(after.loss, 0.7 * before) << "rank " << rank;
    EXPECT_GT(after.accuracy, 0.3) << "rank " << rank;
  }
}

struct PlanCase {
  const char* name;
  Json method = Json::object();
  std::int64_t grad_accum = 1;
  bool tied = true;
  std::int64_t kv_heads = 0;
  WeightStore weights = WeightStore::kF32;
  std::int64_t metrics_every = 1;
  ActivationStore activations = ActivationStore::kF32;
};

class PlanTest : public testing::TestWithParam<PlanCase> {};

TEST_P(PlanTest, ThePlannedPeakIsTheRealOneToTheByte) {
  TrainSpec spec = tiny_spec();
  spec.method = GetParam().method;
  spec.train.grad_accum = GetParam().grad_accum;
  spec.model.tied = GetParam().tied;
  spec.model.kv_heads = GetParam().kv_heads;
  spec.train.weights = GetParam().weights;
  spec.train.metrics_every = GetParam().metrics_every;
  spec.train.activations = GetParam().activations;
  for (const int threads : {1, 2}) {
    const auto plan = plan_step(spec, {.parallelism = threads});
    ASSERT_TRUE(plan.ok());
    TestRun run = make_run(spec, "cpu", threads);
    StepReport step = *run.trainer->step();
    step = *run.trainer->step();
    EXPECT_EQ(plan->peak.live_bytes, step.peak.live_bytes);
    EXPECT_EQ(plan->peak.by_category, step.peak.by_category);
    EXPECT_EQ(plan->flops_per_step, step.flops);
    EXPECT_EQ(plan->parameters, run.trainer->parameter_count());
    EXPECT_EQ(plan->stored_bytes, run.trainer->stored_bytes());
    std::int64_t sum = 0;
    for (const LayerBytes& layer : plan->peak_by_layer) {
      sum += layer.bytes;
    }
    EXPECT_EQ(sum, plan->peak.live_bytes) << "layers add up to the peak";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Specs, PlanTest,
    testing::Values(
        PlanCase{"dense"}, PlanCase{.name = "accumulated", .grad_accum = 3},
        PlanCase{.name = "untied", .tied = false}, PlanCase{.name = "grouped", .kv_heads = 1},
        PlanCase{.name = "low_rank", .method = {{"low_rank", {{"rank", 5}}}}},
        PlanCase{.name = "master", .weights = WeightStore::kBf16Master},
        PlanCase{.name = "rounded", .tied = false, .weights = WeightStore::kBf16Stochastic},
        PlanCase{.name = "rounded_low_rank",
                 .method = {{"low_rank", {{"rank", 5}}}},
                 .weights = WeightStore::kBf16Stochastic},
        PlanCase{.name = "window", .metrics_every = 7},
        PlanCase{
            .name = "rounded_activations", .grad_accum = 2, .activations = ActivationStore::kBf16},
        PlanCase{.name = "low_rank_relu",
                 .method = {{"low_rank", {{"param_share", 0.5}, {"between", "relu"}}}}}),
    [](const auto& row) { return row.param.name; });

TEST(Trainer, StoredParametersAreTheLedgersWeights) {
  TestRun run = make_run(tiny_spec());
  const auto weights = run.backend->ledger().live().by_category[0];
  EXPECT_GE(weights, run.trainer->stored_bytes());
  EXPECT_LT(weights, run.trainer->stored_bytes() + 64 * 40) << "only rounding to granules differs";
}

TEST(Trainer, TheSameSeedGivesTheSameBits) {
  for (const int threads : {1, 2}) {
    TestRun first = make_run(tiny_spec(), "cpu", threads);
    TestRun second = make_run(tiny_spec(), "cpu", threads);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(first.trainer->step()->loss, second.trainer->step()->loss);
    }
    EXPECT_EQ(first.trainer->parameter_digest(), second.trainer->parameter_digest());
  }
}

TEST(Trainer, TheFastBackEndFollowsTheReference) {
  TestRun fast = make_run(tiny_spec(), "cpu", 2);
  TestRun reference = make_run(tiny_spec(), "cpu_ref", 1);
  for (int i = 0; i < 5; ++i) {
    EXPECT_NEAR(fast.trainer->step()->loss, reference.trainer->step()->loss, 2e-3);
  }
}

TEST(Trainer, NothingIsLeftBehind) {
  const TrainSpec spec = tiny_spec();
  auto backend = std::move(*make_backend("cpu", 2));
  {
    std::vector<std::string> warnings;
    auto trainer = make_trainer(*backend, spec, test::learnable_tokens(40, 2000), warnings);
    ASSERT_TRUE((*trainer)->step().ok());
  }
  EXPECT_EQ(backend->ledger().live().live_bytes, 0);
}

TEST(Trainer, ADivergedStepIsRefusedAndTheWeightsKept) {
  TrainSpec spec = tiny_spec();
  spec.optim.lr = 10;
  spec.optim.warmup_steps = 0;
  spec.optim.clip_norm = 0;
  spec.model.init_std = 1.0;
  TestRun run = make_run(spec);
  run.trainer->set_live({.lr = 1e30, .weight_decay = 0, .clip_norm = 0});
  Result<StepReport> report = run.trainer->step();
  std::string digest = run.trainer->parameter_digest();
  for (int i = 0; i < 5 && report.ok(); ++i) {
    digest = run.trainer->parameter_digest();
    report = run.trainer->step();
  }
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, ErrorKind::kDiverged);
  EXPECT_NE(report.error().message.find("step"), std::string::npos);
  EXPECT_EQ(run.trainer->parameter_digest(), digest);
}

TEST_F(TrainerFolder, ResumingGivesTheSameBitsAsNeverStopping) {
  TestRun whole = make_run(tiny_spec());
  TestRun first = make_run(tiny_spec());
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(whole.trainer->step().ok());
    if (i < 3) {
      ASSERT_TRUE(first.trainer->step().ok());
    }
  }
  ASSERT_TRUE(first.trainer->save(checkpoint()).ok());
  TestRun second = make_run(tiny_spec());
  ASSERT_TRUE(second.trainer->load(checkpoint()).ok());
  EXPECT_EQ(second.trainer->steps_done(), 3);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(second.trainer->step().ok());
  }
  EXPECT_EQ(second.trainer->parameter_digest(), whole.trainer->parameter_digest());
  EXPECT_EQ(second.trainer->step()->loss, whole.trainer->step()->loss);
}

// What checkpoints name their spec by: parameters that came later must not change it.
TEST_F(TrainerFolder, CheckpointsOfFormerVersionsAreStillOfTheirSpec) {
  TestRun run = make_run(tiny_spec());
  ASSERT_TRUE(run.trainer->save(checkpoint()).ok());
  std::ifstream state(fs::path(checkpoint()) / "state.json");
  const std::string text(std::istreambuf_iterator<char>(state), {});
  EXPECT_NE(text.find("9b267e17f2e2100d7d94512ae2eb7dae5e736a6cab3180bcb11184726d5936cb"),
            std::string::npos)
      << text;
}

TEST_F(TrainerFolder, ADamagedOrForeignCheckpointIsRefused) {
  TestRun run = make_run(tiny_spec());
  ASSERT_TRUE(run.trainer->step().ok());
  ASSERT_TRUE(run.trainer->save(checkpoint()).ok());

  TrainSpec other = tiny_spec();
  other.optim.lr = 0.5;
  TestRun foreign = make_run(other);
  const Result<void> refused = foreign.trainer->load(checkpoint());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kData);
  EXPECT_NE(refused.error().message.find("another spec"), std::string::npos);

  for (const char* name : {"weights.safetensors", "optimizer.safetensors", "state.json"}) {
    const fs::path file = fs::path(checkpoint()) / name;
    const auto size = fs::file_size(file);
    fs::resize_file(file, size / 2);
    EXPECT_EQ(run.trainer->load(checkpoint()).error().kind, ErrorKind::kData) << name;
    ASSERT_TRUE(run.trainer->save(checkpoint()).ok()) << "a damaged one can be written over";
    ASSERT_TRUE(run.trainer->load(checkpoint()).ok());
  }
}

std::string file_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A changed bit in a number still parses and still fits its shape: only the checksums see it.
TEST_F(TrainerFolder, OneChangedBitAnywhereIsRefusedAndTouchesNothing) {
  TestRun run = make_run(tiny_spec());
  ASSERT_TRUE(run.trainer->step().ok());
  ASSERT_TRUE(run.trainer->save(checkpoint()).ok());
  ASSERT_TRUE(run.trainer->step().ok());
  const std::string digest = run.trainer->parameter_digest();
  for (const char* name : {"weights.safetensors", "optimizer.safetensors", "state.json"}) {
    const fs::path path = fs::path(checkpoint()) / name;
    const std::string sound = file_bytes(path);
    for (const double place : {0.0, 0.3, 0.5, 0.9}) {
      std::string damaged = sound;
      char& byte = damaged[static_cast<std::size_t>(place * static_cast<double>(sound.size()))];
      byte = static_cast<char>(byte ^ 1);
      std::ofstream(path, std::ios::binary) << damaged;
      const Result<void> refused = run.trainer->load(checkpoint());
      ASSERT_FALSE(refused.ok()) << name << " at " << place;
      EXPECT_EQ(refused.error().kind, ErrorKind::kData) << name << " at " << place;
      EXPECT_EQ(run.trainer->parameter_digest(), digest) << name << " at " << place;
      EXPECT_EQ(run.trainer->steps_done(), 2);
    }
    std::ofstream(path, std::ios::binary) << sound;
  }
  EXPECT_TRUE(run.trainer->load(checkpoint()).ok());
}

TEST_F(TrainerFolder, ASaveThatFailsLeavesTheFormerCheckpointWhole) {
  TestRun run = make_run(tiny_spec());
  ASSERT_TRUE(run.trainer->step().ok());
  ASSERT_TRUE(run.trainer->save(checkpoint()).ok());
  ASSERT_TRUE(run.trainer->step().ok());

  rlimit former{};
  getrlimit(RLIMIT_FSIZE, &former);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);  // the write then fails, as on a full disk
  const rlimit small{8192, former.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Result<void> saved = run.trainer->save(checkpoint());
  setrlimit(RLIMIT_FSIZE, &former);
  std::signal(SIGXFSZ, handler);

  ASSERT_FALSE(saved.ok());
  EXPECT_EQ(saved.error().kind, ErrorKind::kDisk);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "no remains beside it";
  ASSERT_TRUE(run.trainer->load(checkpoint()).ok());
  EXPECT_EQ(run.trainer->steps_done(), 1);
}

TEST_F(TrainerFolder, ASaveReplacesTheFormerCheckpointOfItsName) {
  TestRun run = make_run(tiny_spec());
  for (int step = 1; step <= 2; ++step) {
    ASSERT_TRUE(run.trainer->step().ok());
    ASSERT_TRUE(run.trainer->save(checkpoint()).ok());
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "no remains beside it";
  TestRun other = make_run(tiny_spec());
  ASSERT_TRUE(other.trainer->load(checkpoint()).ok());
  EXPECT_EQ(other.trainer->steps_done(), 2);
}

TEST(Trainer, AStepThatRanOutOfMemoryLeavesNoTrace) {
  TestRun whole = make_run(tiny_spec());
  const StepReport expected = *whole.trainer->step();
  TestRun run = make_run(tiny_spec());
  Allocator& allocator = run.backend->allocator();
  const std::int64_t held = allocator.ledger().live().live_bytes;
  for (const double share : {0.1, 0.5, 0.99}) {  // of what the step needs beside what is held
    const auto needed = static_cast<double>(expected.peak.live_bytes - held);
    allocator.set_limit_bytes(held + static_cast<std::int64_t>(share * needed));
    EXPECT_THROW(static_cast<void>(run.trainer->step()), OutOfMemory) << share;
  }
  allocator.set_limit_bytes(0);
  EXPECT_EQ(run.trainer->step()->loss, expected.loss);
  EXPECT_EQ(run.trainer->parameter_digest(), whole.trainer->parameter_digest());
}

// The second half of the stream is another language; an evaluation of a few windows must see it.
TEST(Trainer, EvaluationSpreadsItsWindowsOverTheWholeHeldOutStream) {
  std::vector<std::int32_t> easy(4000, 3);
  Rng rng(2, 2);
  for (std::size_t i = easy.size() / 2; i < easy.size(); ++i) {
    easy[i] = static_cast<std::int32_t>(rng.next_below(40));
  }
  TrainSpec spec = tiny_spec();
  auto backend = std::move(*make_backend("cpu", 2));
  std::vector<std::string> warnings;
  const auto data = std::make_shared<test::MemoryTokens>(easy, 40);
  auto trainer = std::move(*make_trainer(*backend, spec, data, warnings));
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(trainer->step().ok());
  }
  const EvalReport report = *trainer->evaluate();
  EXPECT_EQ(report.tokens, 2 * 4 * 16);
  EXPECT_GT(report.accuracy, 0.4);
  EXPECT_LT(report.accuracy, 0.8) << "the first half alone would give 1";
}

TEST(Trainer, EveryConfigErrorIsNamedAtOnce) {
  TrainSpec spec = tiny_spec();
  spec.model.heads = 6;
  spec.model.kv_heads = 4;
  const auto plan = plan_step(spec, {.parallelism = 1});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().kind, ErrorKind::kUsage);
  EXPECT_NE(plan.error().message.find("model.heads=6"), std::string::npos);
  EXPECT_NE(plan.error().message.find("model.kv_heads=4"), std::string::npos);
}

TEST(Trainer, AProcessorRefusesAGraph) {
  TrainSpec spec = tiny_spec();
  spec.train.graph = true;
  std::vector<std::string> warnings;
  const auto cpu = std::move(*make_backend("cpu", 1));
  const auto refused = make_trainer(*cpu, spec, test::learnable_tokens(40, 2000), warnings);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kUsage);
  EXPECT_NE(refused.error().message.find("train.graph=true needs a CUDA device"),
            std::string::npos);
  EXPECT_TRUE(plan_step(spec, cpu->machine()).ok()) << "for which device it is, no plan knows";
}

}  // namespace
}  // namespace lathe
