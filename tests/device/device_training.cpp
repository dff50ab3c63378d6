// Trainings in memory, side by side.
#include "tests/device/device_training.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <vector>

#include "engine/nn/transformer.h"
#include "engine/train/trainer.h"
#include "tests/support/memory_images.h"
#include "tests/support/memory_samples.h"
#include "tests/support/memory_tokens.h"

namespace lathe::test {
namespace {

constexpr std::int64_t kVocabulary = 72;

std::unique_ptr<Trainer> trainer_on(Backend& backend, const TrainSpec& spec,
                                    const std::shared_ptr<const TokenSource>& data) {
  std::vector<std::string> warnings;
  auto trainer = make_trainer(backend, spec, data, warnings);
  EXPECT_TRUE(trainer.ok()) << (trainer.ok() ? "" : trainer.error().text());
  return std::move(*trainer);
}

std::unique_ptr<Trainer> trainer_on(Backend& backend, const TrainSpec& spec) {
  return trainer_on(backend, spec,
                    spec.model.images() ? learnable_images(spec.model.image.size)
                                        : learnable_tokens(kVocabulary, 2000));
}

struct Training {
  std::vector<double> losses;
  double heldout = 0;
  std::string parameters;
};

Training train(Backend& backend, const TrainSpec& spec, std::int64_t steps) {
  Training result;
  const auto trainer = trainer_on(backend, spec);
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto step = trainer->step();
    EXPECT_TRUE(step.ok()) << (step.ok() ? "" : step.error().text());
    result.losses.push_back(step.ok() ? step->loss : NAN);
  }
  const auto eval = trainer->evaluate();
  result.heldout = eval.ok() ? eval->loss : NAN;
  result.parameters = trainer->parameter_digest();
  return result;
}

// What a course of training says, all of it to be the same to the bit.
struct Course {
  std::vector<double> figures;
  std::vector<LedgerSnapshot> peaks;
  std::string parameters;
};

void issue(Trainer& trainer, int steps, Course& course) {
  std::vector<StepReport> reports;
  for (int i = 0; i < steps; ++i) {
    EXPECT_TRUE(trainer.advance(reports).ok());
  }
  EXPECT_TRUE(trainer.wait(reports).ok());
  for (const StepReport& report : reports) {
    for (const double figure : {report.loss, report.accuracy, report.grad_norm, report.lr,
                                static_cast<double>(report.tokens), report.flops}) {
      course.figures.push_back(figure);
    }
    course.peaks.push_back(report.peak);
  }
}

Course take_course(Backend& device, const TrainSpec& spec,
                   const std::shared_ptr<const TokenSource>& data) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("lathe_course_" + std::to_string(getpid()));
  Course course;
  const auto trainer = trainer_on(device, spec, data);
  issue(*trainer, 5, course);
  course.figures.push_back(trainer->evaluate()->loss);
  course.peaks.push_back(device.ledger().peak());
  EXPECT_TRUE(trainer->save(folder.string()).ok());
  issue(*trainer, 1, course);
  trainer->set_live({.lr = 3e-3, .weight_decay = 0.3, .clip_norm = 0.2});
  issue(*trainer, 2, course);
  EXPECT_TRUE(trainer->load(folder.string()).ok());
  std::filesystem::remove_all(folder);
  issue(*trainer, 2, course);
  course.parameters = trainer->parameter_digest();
  return course;
}

void expect_same_course(Backend& device, TrainSpec spec,
                        const std::shared_ptr<const TokenSource>& data) {
  spec.train.batch_size = 1;
  spec.train.seq_len = 16;
  if (spec.method.empty()) {
    spec.train.weights = WeightStore::kBf16Stochastic;
  }
  for (const std::int64_t metrics_every : {1, 4}) {
    spec.train.metrics_every = metrics_every;
    spec.train.graph = false;
    const Course plain = take_course(device, spec, data);
    spec.train.graph = true;
    const Course whole = take_course(device, spec, data);
    EXPECT_EQ(whole.figures, plain.figures);
    EXPECT_EQ(whole.parameters, plain.parameters);
    const auto plan = plan_step(spec, device.machine());
    ASSERT_TRUE(plan.ok()) << plan.error().text();
    for (const LedgerSnapshot& peak : whole.peaks) {
      EXPECT_EQ(peak.by_category, plan->peak.by_category);
    }
  }
}

}  // namespace

void expect_same_with_graph(Backend& device, TrainSpec spec) {
  spec.train.grad_accum = 2;
  spec.optim.clip_norm = 0.5;
  expect_same_course(device, spec, learnable_tokens(kVocabulary, 2000));
}

void expect_same_with_graph_of_samples(Backend& device) {
  TrainSpec spec = llama_like_spec();
  spec.data.kind = DataKind::kInstruct;
  spec.model.window = 7;
  const auto samples = learnable_samples(kVocabulary, 9, kVocabulary);
  expect_same_course(device, spec, std::make_shared<MemorySamples>(samples, kVocabulary));
}

void expect_graph_refuses_broken_steps(Backend& device, TrainSpec spec) {
  spec.train.graph = true;
  spec.train.metrics_every = 4;
  const auto trainer = trainer_on(device, spec, learnable_tokens(kVocabulary, 2000));
  std::vector<StepReport> reports;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(trainer->step().ok());
  }
  trainer->set_live({.lr = 1e30, .weight_decay = 0, .clip_norm = 0});
  Result<void> done;
  for (int i = 0; i < 8 && done.ok(); ++i) {
    done = trainer->advance(reports);
  }
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().kind, ErrorKind::kDiverged);
  EXPECT_EQ(trainer->steps_done(), 3 + static_cast<std::int64_t>(reports.size()));
  const std::string digest = trainer->parameter_digest();
  const auto again = trainer->step();  // of the same weights, which are out of all bounds
  EXPECT_FALSE(again.ok());
  EXPECT_EQ(trainer->parameter_digest(), digest);
}

TrainSpec llama_like_spec() {
  TrainSpec spec;
  spec.model = {
      .dim = 48, .layers = 2, .heads = 4, .kv_heads = 2, .ff_dim = 80, .vocab_size = kVocabulary};
  spec.train = {.steps = 50, .batch_size = 3, .seq_len = 24, .eval_every = 10, .eval_batches = 1};
  spec.optim = {.lr = 1e-2, .warmup_steps = 4};
  return spec;
}

TrainSpec gpt2_like_spec() {
  TrainSpec spec = llama_like_spec();
  spec.model.norm = NormKind::kLayer;
  spec.model.positions = PositionKind::kLearned;
  spec.model.mlp = MlpKind::kGeluTanh;
  spec.model.bias = true;
  spec.model.context = spec.train.seq_len;
  return spec;
}

TrainSpec vit_like_spec() {
  TrainSpec spec = gpt2_like_spec();
  spec.model.vocab_size = 4;
  spec.model.image = {.size = 8, .patch_size = 2, .classes = 4};
  spec.data.kind = DataKind::kImages;
  return spec;
}

TrainSpec dropping_spec() {
  TrainSpec spec = llama_like_spec();
  spec.method = {{"lora", {{"rank", 4}, {"targets", {"all"}}, {"dropout", 0.3}}}};
  return spec;
}

TrainSpec projecting_spec(const Json& params) {
  TrainSpec spec = llama_like_spec();
  spec.train.recompute = Recompute::kNone;
  spec.method = {{"velora", {{"groups", 4}, {"targets", {"all"}}}}};
  spec.method["velora"].update(params);
  return spec;
}

TrainSpec galore_spec(const Json& params) {
  TrainSpec spec = llama_like_spec();
  spec.method = {{"galore", {{"rank", 4}, {"alpha", 1.0}, {"update_every", 3}}}};
  spec.method["galore"].update(params);
  return spec;
}

TrainSpec palette_spec(const Json& params) {
  TrainSpec spec = llama_like_spec();
  spec.method = {{"dkm", {{"bits", 3}, {"iterations", 2}, {"temperature", 0.5}}}};
  spec.method["dkm"].update(params);
  return spec;
}

TrainSpec beside_spec(const Json& method) {
  TrainSpec spec = gpt2_like_spec();
  spec.method = method;
  return spec;
}

TrainSpec distilled_spec() {
  TrainSpec spec = llama_like_spec();
  spec.method = {{"low_rank", {{"rank", 8}}}};
  spec.train.parts = TrainedParts::kFactors;
  spec.distill = {.from = "made up", .weight = 0.5, .temperature = 2};
  ModelConfig teacher = gpt2_like_spec().model;
  std::vector<LinearPlan> slots = dense_plan(teacher);
  for (LinearPlan& slot : slots) {
    slot.given = true;
  }
  const auto weights = [](Backend& to, Transformer& model) {
    std::uint64_t stream = 1;
    for (Parameter* parameter : model.parameters()) {
      const Tag tag{Category::kWeights, parameter->layer, parameter->name};
      if (parameter->given) {
        give_weight(*parameter, Tensor(to.allocator(), DType::kF32, parameter->shape, tag));
      }
      ops::random_fill(to,
                       {.out = parameter->weight, .seed = 8, .stream = stream++, .stddev = 0.2f});
    }
  };
  spec.teacher = std::make_shared<const GivenModel>(GivenModel{teacher, slots, weights});
  return spec;
}

void expect_same_losses(Backend& device, const TrainSpec& spec, std::int64_t steps,
                        double relative) {
  const auto cpu = std::move(make_backend("cpu", 2)).value();
  const Training want = train(*cpu, spec, steps);
  const Training got = train(device, spec, steps);
  for (std::size_t i = 0; i < want.losses.size(); ++i) {
    EXPECT_NEAR(got.losses[i], want.losses[i], relative * want.losses[i]) << "step " << i + 1;
  }
  EXPECT_NEAR(got.heldout, want.heldout, relative * want.heldout);
  EXPECT_LT(got.losses.back(), got.losses.front());
}

void expect_repeatable(Backend& device, const TrainSpec& spec, std::int64_t steps) {
  const Training first = train(device, spec, steps);
  const Training second = train(device, spec, steps);
  EXPECT_EQ(first.losses, second.losses);
  EXPECT_EQ(first.parameters, second.parameters);
}

void expect_planned_peak(Backend& device, const TrainSpec& spec) {
  const auto plan = plan_step(spec, device.machine());
  ASSERT_TRUE(plan.ok()) << plan.error().text();
  const auto trainer = trainer_on(device, spec);
  ASSERT_TRUE(trainer->step().ok());
  const auto step = trainer->step();
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(plan->peak.live_bytes, step->peak.live_bytes);
  EXPECT_EQ(plan->peak.by_category, step->peak.by_category);
  EXPECT_EQ(plan->flops_per_step, step->flops);
}

void expect_recovery_from_lack_of_memory(Backend& device, const TrainSpec& spec) {
  const auto trainer = trainer_on(device, spec);
  const std::int64_t live = device.ledger().live().live_bytes;
  device.allocator().set_limit_bytes(live + 4096);
  EXPECT_THROW(static_cast<void>(trainer->step()), OutOfMemory);
  device.allocator().set_limit_bytes(0);
  EXPECT_TRUE(trainer->step().ok());
}

}  // namespace lathe::test
