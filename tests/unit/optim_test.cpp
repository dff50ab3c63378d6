// Schedules and AdamW against the formulas, by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/backend/sums.h"
#include "engine/optim/adamw.h"

namespace lathe {
namespace {

TEST(Schedule, RisesThenFallsToItsEnd) {
  OptimConfig config{.warmup_steps = 10, .min_lr_ratio = 0.1};
  EXPECT_DOUBLE_EQ(learning_rate(config, 1.0, 1, 110), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate(config, 1.0, 10, 110), 1.0);
  EXPECT_NEAR(learning_rate(config, 1.0, 60, 110), 0.55, 1e-12);  // half way down the cosine
  EXPECT_NEAR(learning_rate(config, 1.0, 110, 110), 0.1, 1e-12);
  config.schedule = ScheduleKind::kLinear;
  EXPECT_NEAR(learning_rate(config, 2.0, 35, 110), 2.0 * (0.1 + 0.9 * 0.75), 1e-12);
  config.schedule = ScheduleKind::kConstant;
  EXPECT_DOUBLE_EQ(learning_rate(config, 2.0, 100, 110), 2.0);
  config.warmup_steps = 0;
  EXPECT_DOUBLE_EQ(learning_rate(config, 2.0, 1, 110), 2.0);
}

struct Trained {
  std::unique_ptr<Backend> backend = std::move(*make_backend("cpu_ref", 1));
  Parameter matrix = make_parameter(*backend, "m", "weight", Shape{1, 2}, true);
  Parameter gain = make_parameter(*backend, "n", "gain", Shape{2}, false);
  AdamW optimizer{*backend, {&matrix, &gain}, 1};
  Tensor sums = make_sums(*backend, "t", "sums", 4);  // two squares, their total, refused
  void measure() { optimizer.measure(sums_at(sums, 0, 2), sums_at(sums, 2, 1)); }
  void step(const OptimConfig& config) {
    measure();
    optimizer.step(config, 0.01, 1,
                   {.squares = sums_at(sums, 2, 1), .loss = {}, .refused = sums_at(sums, 3, 1)});
  }

  Trained() {
    for (Parameter* parameter : {&matrix, &gain}) {
      ops::fill(*backend, {.out = parameter->weight, .value = 1.0f});
      float* gradient = accumulating_gradient(*backend, *parameter).f32();
      gradient[0] = 3.0f;
      gradient[1] = -4.0f;
    }
  }
};

TEST(AdamWTest, TheFirstStepMovesByTheRateAndDecaysMatricesOnly) {
  Trained t;
  t.step({.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-12, .weight_decay = 0.5, .clip_norm = 0});
  EXPECT_EQ(read_sums(*t.backend, t.sums), (std::vector<double>{25.0, 25.0, 50.0, 0.0}));
  // Bias-corrected, the first step is lr * sign(g); decay takes lr * 0.5 of the matrix beside it.
  EXPECT_NEAR(t.matrix.weight.ref().f32()[0], 1.0 - 0.005 - 0.01, 1e-6);
  EXPECT_NEAR(t.matrix.weight.ref().f32()[1], 1.0 - 0.005 + 0.01, 1e-6);
  EXPECT_NEAR(t.gain.weight.ref().f32()[0], 1.0 - 0.01, 1e-6);
  EXPECT_NEAR(t.optimizer.first_moment(0).f32()[0], 0.3, 1e-6);
  EXPECT_NEAR(t.optimizer.second_moment(0).f32()[1], 0.16, 1e-6);
}

TEST(AdamWTest, ClippingScalesTheGradientBeforeTheMoments) {
  Trained t;
  t.step({.beta1 = 0.9, .beta2 = 0.99, .clip_norm = 0.5 * std::sqrt(50.0)});
  EXPECT_NEAR(t.optimizer.first_moment(0).f32()[0], 0.15, 1e-6);
  EXPECT_NEAR(t.optimizer.second_moment(0).f32()[0], 0.01 * 2.25, 1e-7);
}

TEST(AdamWTest, DroppedGradientsGiveTheirMemoryBack) {
  Trained t;
  t.optimizer.drop_gradients();
  const auto gradients = static_cast<std::size_t>(Category::kGradients);
  EXPECT_EQ(t.backend->ledger().live().by_category[gradients], 0);
}

}  // namespace
}  // namespace lathe
