// Dropout of adapters: the gradients of what was dropped, what decides it, and that runs with it
// repeat themselves and go on from a checkpoint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "engine/backend/backend.h"
#include "engine/backend/sums.h"
#include "engine/methods/lora/lora.h"
#include "engine/nn/linear.h"
#include "engine/nn/transformer.h"
#include "engine/train/model_plan.h"
#include "engine/train/trainer.h"
#include "tests/support/memory_tokens.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kRows = 7;
constexpr std::int64_t kIn = 12;
constexpr std::int64_t kOut = 10;

// A slot on cpu_ref whose adapter drops a third of its input.
class DroppingSlot : public testing::Test {
 protected:
  DroppingSlot()
      : backend_(std::move(*make_backend("cpu_ref", 1))),
        linear_(*backend_, {.name = "layers.0.mlp.up",
                            .in = kIn,
                            .out = kOut,
                            .adapter = {.rank = 3, .scale = 1.5, .dropout = 0.33}}),
        x_(tensor("x", Shape{kRows, kIn}, 1)),
        dy_(tensor("dy", Shape{kRows, kOut}, 2)) {
    linear_.initialise(3, 16);
    linear_.start_adapter(3, 99, 0);
    linear_.append_parameters(all_);
    ops::random_fill(*backend_, {.out = all_[2]->weight, .seed = 5, .stream = 5});
    linear_.draw_dropout({.seed = 4, .step = 2, .first_row = 3}, 6);
  }
  Tensor tensor(const char* name, Shape shape, std::uint64_t stream) {
    Tensor made = workspace(*backend_, "t", name, shape);
    ops::random_fill(*backend_, {.out = made, .seed = 8, .stream = stream});
    return made;
  }
  std::vector<float> values(TensorRef x) const { return {x.f32(), x.f32() + x.elements()}; }
  std::vector<float> output(bool training) {
    const Tensor y = workspace(*backend_, "t", "y", Shape{kRows, kOut});
    LinearSaved saved;
    linear_.forward(x_, y, training ? &saved : nullptr);
    return values(y);
  }
  // <dy, y> of a pass in training.
  double weighed() {
    const std::vector<float> y = output(true);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      sum += double(y[i]) * double(dy_.ref().f32()[i]);
    }
    return sum;
  }
  void expect_gradient(TensorRef of, const std::vector<float>& gradient) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      float& value = of.f32()[i];
      const float kept = value;
      value = kept + 1e-2f;
      const double above = weighed();
      value = kept - 1e-2f;
      const double below = weighed();
      value = kept;
      EXPECT_NEAR(gradient[i], (above - below) / 2e-2, 2e-3) << i;
    }
  }

  std::unique_ptr<Backend> backend_;
  Linear linear_;
  Tensor x_, dy_;
  std::vector<Parameter*> all_;  // W, A, B
};

TEST_F(DroppingSlot, BackwardAgreesWithFiniteDifferences) {
  const Tensor y = workspace(*backend_, "t", "y", Shape{kRows, kOut});
  const Tensor dx = workspace(*backend_, "t", "dx", Shape{kRows, kIn});
  LinearSaved saved;
  linear_.forward(x_, y, &saved);
  linear_.backward(x_, dy_, dx, 0.0f, std::move(saved));
  expect_gradient(x_, values(dx));
  expect_gradient(all_[1]->weight, values(all_[1]->gradient));
  expect_gradient(all_[2]->weight, values(all_[2]->gradient));
}

TEST_F(DroppingSlot, SeedStepSlotAndPlaceDecideAndEvaluationDropsNothing) {
  const std::vector<float> evaluated = output(false);
  const std::vector<float> trained = output(true);
  EXPECT_EQ(output(true), trained);
  EXPECT_NE(trained, evaluated);
  for (const auto& [draw, site] :
       {std::pair{DropoutDraw{.seed = 5, .step = 2, .first_row = 3}, 6},
        std::pair{DropoutDraw{.seed = 4, .step = 3, .first_row = 3}, 6},
        std::pair{DropoutDraw{.seed = 4, .step = 2, .first_row = 2}, 6},
        std::pair{DropoutDraw{.seed = 4, .step = 2, .first_row = 3}, 7}}) {
    linear_.draw_dropout(draw, site);
    EXPECT_NE(output(true), trained);
    EXPECT_EQ(output(false), evaluated);
  }
}

TrainSpec dropping_spec(double dropout) {
  TrainSpec spec;
  spec.model = {.dim = 32, .layers = 2, .heads = 4, .ff_dim = 64, .vocab_size = 40};
  spec.train = {.steps = 30, .batch_size = 2, .seq_len = 16, .grad_accum = 2, .eval_batches = 2};
  spec.optim = {.lr = 1e-2, .warmup_steps = 4};
  std::vector<std::string> errors;
  spec.method["lora"] = lora_method().normalise(
      {{"rank", 4}, {"targets", {"all"}}, {"dropout", dropout}}, "method.lora", errors);
  EXPECT_THAT(errors, testing::IsEmpty());
  return spec;
}

struct TestRun {
  explicit TestRun(const TrainSpec& spec) : backend(std::move(*make_backend("cpu", 2))) {
    std::vector<std::string> warnings;
    auto made = make_trainer(*backend, spec, test::learnable_tokens(40, 2000), warnings);
    EXPECT_TRUE(made.ok());
    trainer = std::move(*made);
  }
  std::vector<double> losses(int steps) {
    std::vector<double> all;
    for (int i = 0; i < steps; ++i) {
      all.push_back(trainer->step()->loss);
    }
    return all;
  }
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Trainer> trainer;
};

class DroppingRun : public testing::Test {
 protected:
  ~DroppingRun() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::temp_directory_path() / ("lathe_dropout_" + std::to_string(getpid()));
};

TEST_F(DroppingRun, RepeatsItselfAndGoesOnFromACheckpoint) {
  const TrainSpec spec = dropping_spec(0.4);
  TestRun whole(spec);
  const std::vector<double> first = whole.losses(3);
  ASSERT_TRUE(whole.trainer->save(folder_.string()).ok());
  const std::vector<double> then = whole.losses(3);
  TestRun again(spec), rest(spec);
  EXPECT_EQ(again.losses(3), first);
  ASSERT_TRUE(rest.trainer->load(folder_.string()).ok());
  EXPECT_EQ(rest.losses(3), then);
  EXPECT_EQ(rest.trainer->parameter_digest(), whole.trainer->parameter_digest());
  EXPECT_NE(TestRun(dropping_spec(0)).losses(6).back(), then.back());
}

TEST_F(DroppingRun, IsWhatWasPlanned) {
  const TrainSpec spec = dropping_spec(0.4);
  TestRun run(spec);
  const auto plan = plan_step(spec, {.parallelism = 2});
  ASSERT_TRUE(plan.ok()) << plan.error().text();
  EXPECT_EQ(plan->peak.by_category, run.trainer->step()->peak.by_category);
}

// Rows of a step are the same ones however many micro-batches they come in.
TEST_F(DroppingRun, MicroBatchesDropWhatTheWholeBatchWould) {
  const TrainSpec spec = dropping_spec(0.4);
  std::vector<std::string> warnings;
  const auto backend = std::move(*make_backend("cpu_ref", 1));
  const auto slots = plan_slots(spec, warnings);
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 4 * 16; ++i) {
    ids.push_back(i * 7 % 40);
  }
  const auto loss_in = [&](std::int64_t parts) {
    Transformer model(*backend, spec.model, *slots);
    model.initialise(3);
    model.start_adapters(3, 0);
    for (Parameter* parameter : model.parameters()) {
      if (parameter->role == ParameterRole::kAdapter) {
        ops::random_fill(*backend, {.out = parameter->weight, .seed = 6, .stddev = 0.3f});
      }
    }
    const Tensor sums = make_sums(*backend, "t", "sums");
    const BatchShape shape{4 / parts, 16};
    for (std::int64_t part = 0; part < parts; ++part) {
      const Tensor rows = workspace(*backend, "t", "ids", Shape{4 / parts, 16}, DType::kI32);
      backend->write(rows, ids.data() + part * shape.tokens(), rows.ref().bytes());
      model.draw_dropout({.seed = 1, .step = 2, .first_row = part * shape.tokens()});
      model.train(rows, rows, shape, 0, 1.0f, sums);
    }
    return read_cross_entropy(*backend, sums).loss;
  };
  EXPECT_NEAR(loss_in(2), loss_in(1), 1e-4);
  EXPECT_NEAR(loss_in(4), loss_in(1), 1e-4);
}

TEST_F(DroppingRun, WithoutItCheckpointsOfBeforeGoOn) {
  TrainSpec before = dropping_spec(0);
  before.method["lora"].erase("dropout");
  TestRun old(before);
  old.losses(2);
  ASSERT_TRUE(old.trainer->save(folder_.string()).ok());
  TestRun now(dropping_spec(0));
  const Result<void> loaded = now.trainer->load(folder_.string());
  EXPECT_TRUE(loaded.ok()) << loaded.error().text();
  EXPECT_FALSE(TestRun(dropping_spec(0.1)).trainer->load(folder_.string()).ok());
}

TEST(LoraDropout, IsBelowOne) {
  std::vector<std::string> errors;
  lora_method().normalise({{"dropout", 0.95}}, "method.lora", errors);
  EXPECT_THAT(errors, testing::ElementsAre(testing::HasSubstr("dropout")));
}

}  // namespace
}  // namespace lathe
