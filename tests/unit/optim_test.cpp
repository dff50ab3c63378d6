// Schedules and AdamW against the formulas, by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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
  EXPECT_NEAR(t.optimizer.first_moment(0).values.f32()[0], 0.3, 1e-6);
  EXPECT_NEAR(t.optimizer.second_moment(0).values.f32()[1], 0.16, 1e-6);
}

TEST(AdamWTest, ClippingScalesTheGradientBeforeTheMoments) {
  Trained t;
  t.step({.beta1 = 0.9, .beta2 = 0.99, .clip_norm = 0.5 * std::sqrt(50.0)});
  EXPECT_NEAR(t.optimizer.first_moment(0).values.f32()[0], 0.15, 1e-6);
  EXPECT_NEAR(t.optimizer.second_moment(0).values.f32()[0], 0.01 * 2.25, 1e-7);
}

// A matrix of codes: element 0 has a gradient of 3, element 1 one of -4, the others none.
struct Coded {
  std::unique_ptr<Backend> backend;
  Parameter matrix =
      make_parameter(*backend, "m", "weight", Shape{2, kLeastCodedElements / 2}, true);
  AdamW optimizer{*backend, {&matrix}, 1, false, MomentStore::k8Bit};
  Tensor sums = make_sums(*backend, "t", "sums", 3);  // square, total, refused

  explicit Coded(const std::string& device) : backend(std::move(*make_backend(device, 1))) {
    ops::fill(*backend, {.out = matrix.weight, .value = 1.0f});
    float* gradient = accumulating_gradient(*backend, matrix).f32();
    gradient[0] = 3.0f;
    gradient[1] = -4.0f;
  }
  void step(std::int64_t number) {
    optimizer.measure(sums_at(sums, 0, 1), sums_at(sums, 1, 1));
    optimizer.step({.beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.5, .clip_norm = 0}, 0.01, number,
                   {.squares = sums_at(sums, 1, 1), .loss = {}, .refused = sums_at(sums, 2, 1)});
  }
  // The first codes of both moments.
  std::vector<int> codes() const {
    std::vector<int> all;
    for (const MomentRef& moment : {optimizer.first_moment(0), optimizer.second_moment(0)}) {
      const auto* codes = static_cast<const std::uint8_t*>(moment.values.data);
      all.insert(all.end(), {codes[0], codes[1], codes[2]});
    }
    return all;
  }
};

TEST(AdamWTest, CodedMomentsMoveTheWeightFirstAndAreRoundedThen) {
  for (const char* device : {"cpu_ref", "cpu"}) {
    Coded t(device);
    EXPECT_EQ(t.codes(), (std::vector<int>{127, 127, 127, 0, 0, 0}));
    EXPECT_EQ(t.optimizer.first_moment(0).absmax.elements(), kLeastCodedElements / 256);
    t.step(1);
    EXPECT_NEAR(t.matrix.weight.ref().f32()[0], 1.0 - 0.005 - 0.01, 1e-6);
    EXPECT_NEAR(t.matrix.weight.ref().f32()[1], 1.0 - 0.005 + 0.01, 1e-6);
    EXPECT_NEAR(t.matrix.weight.ref().f32()[2], 1.0 - 0.005, 1e-6);
    EXPECT_NEAR(t.optimizer.first_moment(0).absmax.f32()[0], 0.4, 1e-6);
    EXPECT_NEAR(t.optimizer.second_moment(0).absmax.f32()[0], 0.16, 1e-6);
    // 0.3 / 0.4 lies between 0.7469 and 0.7609, 0.09 / 0.16 between 0.5605 and 0.5676; -1 has no
    // code of its own.
    EXPECT_EQ(t.codes(), (std::vector<int>{237, 0, 127, 192, 255, 0})) << device;
    EXPECT_EQ(t.optimizer.first_moment(0).absmax.f32()[1], 0.0f);
  }
}

// A v that were lost beside a neighbour's 10^8 times its size would leave m / eps of the step.
TEST(AdamWTest, ASmallGradientBesideALargeOneDoesNotLeapAfterwards) {
  for (const char* device : {"cpu_ref", "cpu"}) {
    Coded t(device);
    t.matrix.gradient.ref().f32()[0] = 1e-4f;
    t.step(1);
    t.matrix.gradient.ref().f32()[0] = 0.0f;
    const float before = t.matrix.weight.ref().f32()[0];
    t.step(2);
    EXPECT_LT(std::fabs(t.matrix.weight.ref().f32()[0] - before), 0.02f) << device;
  }
}

TEST(AdamWTest, ARefusedStepLeavesCodesAlone) {
  Coded t("cpu");
  t.step(1);
  const std::vector<int> before = t.codes();
  const float weight = t.matrix.weight.ref().f32()[0];
  t.matrix.gradient.ref().f32()[5] = std::nanf("");
  t.step(2);
  EXPECT_EQ(read_sums(*t.backend, t.sums)[2], 1.0);
  EXPECT_EQ(t.codes(), before);
  EXPECT_EQ(t.matrix.weight.ref().f32()[0], weight);
}

// The square of a finite gradient need not be a float: the moment stays at the largest.
TEST(AdamWTest, CodesOfAGradientBeyondTheSquaresOfFloatsStayFinite) {
  for (const char* device : {"cpu_ref", "cpu"}) {
    Coded t(device);
    t.matrix.gradient.ref().f32()[0] = 3e38f;
    t.step(1);
    t.step(2);
    EXPECT_EQ(t.optimizer.second_moment(0).absmax.f32()[0], std::numeric_limits<float>::max());
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(std::isfinite(t.matrix.weight.ref().f32()[i])) << device << " " << i;
    }
  }
}

TEST(AdamWTest, DroppedGradientsGiveTheirMemoryBack) {
  Trained t;
  t.optimizer.drop_gradients();
  const auto gradients = static_cast<std::size_t>(Category::kGradients);
  EXPECT_EQ(t.backend->ledger().live().by_category[gradients], 0);
}

}  // namespace
}  // namespace lathe
