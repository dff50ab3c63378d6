// VeLoRA's identities in one slot: what is exact, what the gradient becomes, where it is the exact
// one and where it must not be.
#include "engine/methods/velora/velora.h"

#include <gtest/gtest.h>
#include <lapacke.h>

#include <algorithm>
#include <cmath>

#include "engine/backend/sums.h"
#include "engine/base/rng.h"
#include "tests/methods/velora_slot.h"

namespace lathe {
namespace {

using test::dot;
using test::kSlotIn;
using test::kSlotOut;
using test::kSlotRows;
using test::relative_distance;
using test::SlotPass;
using test::SlotRun;
using test::Values;

constexpr std::int64_t kGroups = 4;
constexpr std::int64_t kSize = kSlotIn / kGroups;

LinearPlan plan_of(const SubtokenPlan& subtokens) {
  return {.name = "layers.0.mlp.up",
          .in = kSlotIn,
          .out = kSlotOut,
          .init_std = 0.3,
          .bias = true,
          .subtokens = subtokens};
}

Values drawn(std::int64_t count, std::uint64_t stream, double mean = 0.2) {
  Rng rng(11, stream);
  Values values(static_cast<std::size_t>(count));
  for (float& value : values) {
    value = static_cast<float>(mean + rng.next_unit() - 0.5);
  }
  return values;
}

// rows [n, kSlotIn] times the projector of I_g (x) v v^T.
Values projected(const Values& rows, const Values& v) {
  const std::size_t size = v.size();
  Values out(rows.size());
  for (std::size_t first = 0; first < rows.size(); first += size) {
    double along = 0;
    for (std::size_t k = 0; k < size; ++k) {
      along += double(rows[first + k]) * double(v[k]);
    }
    for (std::size_t k = 0; k < size; ++k) {
      out[first + k] = static_cast<float>(along * double(v[k]));
    }
  }
  return out;
}

class VeloraSlot : public testing::Test {
 protected:
  Values x_ = drawn(kSlotRows * kSlotIn, 1);
  Values dy_ = drawn(kSlotRows * kSlotOut, 2);
  SlotPass exact_ = SlotRun(plan_of({})).pass(x_, dy_);

  SlotPass pass(const SubtokenPlan& subtokens, const std::string& backend = "cpu_ref") {
    return SlotRun(plan_of(subtokens), backend).pass(x_, dy_);
  }
};

TEST_F(VeloraSlot, ForwardInputGradientAndBiasGradientAreExact) {
  for (const char* backend : {"cpu_ref", "cpu"}) {
    const SlotPass exact = pass({}, backend);
    const SlotPass made = pass({.groups = kGroups, .scale = 0.1}, backend);
    EXPECT_EQ(made.y, exact.y);
    EXPECT_EQ(made.dx, exact.dx);
    EXPECT_LT(relative_distance(made.gradients[1], exact.gradients[1]), 1e-6);
  }
}

TEST_F(VeloraSlot, TheGradientIsTheExactOneProjected) {
  for (const double scale : {1.0, 0.1, 1.5}) {
    for (const char* backend : {"cpu_ref", "cpu"}) {
      const SlotPass made = pass({.groups = kGroups, .scale = scale}, backend);
      const Values want = projected(exact_.gradients[0], made.v);
      EXPECT_LT(relative_distance(made.gradients[0], want, scale), 1e-5);
    }
  }
}

TEST_F(VeloraSlot, RebuiltInputsGiveTheSameGradient) {
  const SlotPass factored = pass({.groups = kGroups});
  const SlotPass rebuilt = pass({.groups = kGroups, .rebuilt = true});
  EXPECT_LT(relative_distance(rebuilt.gradients[0], factored.gradients[0]), 1e-5);
}

TEST_F(VeloraSlot, SubtokensOfOneNumberKeepAll) {
  const SlotPass made = pass({.groups = kSlotIn, .scale = 0.5});
  EXPECT_NEAR(std::abs(made.v[0]), 1.0f, 1e-6f);
  EXPECT_LT(relative_distance(made.gradients[0], exact_.gradients[0], 0.5), 1e-5);
}

TEST_F(VeloraSlot, TheSignOfTheDirectionIsNothing) {
  SlotRun run(plan_of({.groups = kGroups, .init = DirectionInit::kRandom}));
  const SlotPass one = run.pass(x_, dy_);
  std::for_each(run.direction(), run.direction() + kSize, [](float& value) { value = -value; });
  EXPECT_EQ(run.pass(x_, dy_).gradients[0], one.gradients[0]);
}

TEST_F(VeloraSlot, ProjectingTwiceIsProjectingOnce) {
  const SlotPass made = pass({.groups = kGroups});
  EXPECT_LT(relative_distance(projected(made.gradients[0], made.v), made.gradients[0]), 1e-6);
}

TEST_F(VeloraSlot, InputsAlongTheDirectionLoseNothing) {
  const Values along = drawn(kSize, 3);
  const Values factors = drawn(kSlotRows * kGroups, 4);
  for (std::size_t i = 0; i < x_.size(); ++i) {
    x_[i] = factors[i / kSize] * along[i % kSize];
  }
  const SlotPass exact = pass({});
  const SlotPass made = pass({.groups = kGroups});
  EXPECT_LT(relative_distance(made.gradients[0], exact.gradients[0]), 1e-5);
  EXPECT_NEAR(dot(made.z, made.z) / dot(x_, x_), 1.0, 1e-6) << "kept energy";
}

TEST_F(VeloraSlot, InputsAcrossTheDirectionGiveNothing) {
  SlotRun run(plan_of({.groups = kGroups, .init = DirectionInit::kRandom}));
  const Values v(run.direction(), run.direction() + kSize);
  const Values along = projected(x_, v);
  for (std::size_t i = 0; i < x_.size(); ++i) {
    x_[i] -= along[i];
  }
  const SlotPass made = run.pass(x_, dy_);
  EXPECT_LT(dot(made.gradients[0], made.gradients[0]),
            1e-10 * dot(exact_.gradients[0], exact_.gradients[0]));
  EXPECT_LT(dot(made.z, made.z), 1e-10 * dot(x_, x_)) << "kept energy";
}

TEST_F(VeloraSlot, EnergyAndDescent) {
  const double scale = 0.3;
  const SlotPass made = pass({.groups = kGroups, .scale = scale});
  const Values rebuilt = projected(x_, made.v);
  const double lost = std::pow(relative_distance(rebuilt, x_), 2) * dot(x_, x_);
  EXPECT_NEAR(dot(x_, x_), dot(made.z, made.z) + lost, 1e-5 * dot(x_, x_));
  const double descent = dot(made.gradients[0], exact_.gradients[0]);
  EXPECT_GE(descent, 0.0);
  EXPECT_NEAR(descent, dot(made.gradients[0], made.gradients[0]) / scale, 1e-5 * descent);
}

TEST_F(VeloraSlot, TheGradientHasTheRankOfTheGroups) {
  Values gradient = pass({.groups = kGroups}).gradients[0];
  Values singular(kSlotIn);
  Values none(1), scratch(kSlotIn);
  ASSERT_EQ(
      LAPACKE_sgesvd(LAPACK_ROW_MAJOR, 'N', 'N', kSlotOut, kSlotIn, gradient.data(), kSlotIn,
                     singular.data(), none.data(), kSlotOut, none.data(), kSlotIn, scratch.data()),
      0);
  EXPECT_GT(singular[kGroups - 1], 1e-3f * singular[0]);
  EXPECT_LT(singular[kGroups], 1e-5f * singular[0]);
}

// Of the loss <dy, y>, whose exact gradient is dy^T x: a silent exact path would pass everything
// above that holds both.
TEST_F(VeloraSlot, TheGradientIsNotThatOfTheLoss) {
  SlotRun run(plan_of({.groups = kGroups}));
  const Values gradient = run.pass(x_, dy_).gradients[0];
  const auto loss = [&] { return dot(run.pass(x_, dy_).y, dy_); };
  float* const weight = run.parameters()[0]->weight.ref().f32();
  double far = 0;
  for (const std::size_t i : {0u, 7u, 100u, 500u}) {
    const float kept = weight[i];
    weight[i] = kept + 0.5f;
    const double above = loss();
    weight[i] = kept - 0.5f;
    const double slope = above - loss();
    weight[i] = kept;
    EXPECT_NEAR(exact_.gradients[0][i], slope, 1e-3);
    far = std::max(far, std::abs(double(gradient[i]) - slope));
  }
  EXPECT_GT(far, 0.1);
}

TEST_F(VeloraSlot, TheDirectionIsThatOfTheMeanSubtoken) {
  Values mean(kSize, 0.0f);
  for (std::size_t i = 0; i < x_.size(); ++i) {
    mean[i % kSize] += x_[i];
  }
  SlotRun run(plan_of({.groups = kGroups}));
  const SlotPass first = run.pass(x_, dy_);
  const double length = std::sqrt(dot(mean, mean));
  EXPECT_LT(relative_distance(first.v, mean, 1.0 / length) * length, 1e-6);
  EXPECT_NEAR(dot(first.v, first.v), 1.0, 1e-6);
  EXPECT_EQ(run.pass(drawn(kSlotRows * kSlotIn, 9), dy_).v, first.v) << "once";
}

TEST_F(VeloraSlot, DirectionsThatMoveFollowEachBatchOnce) {
  const Values other = drawn(kSlotRows * kSlotIn, 9);
  for (const DirectionInit init : {DirectionInit::kEveryBatch, DirectionInit::kEma}) {
    SlotRun run(plan_of({.groups = kGroups, .init = init, .decay = 0.5}));
    const Values first = run.pass(x_, dy_).v;
    const Values second = run.pass(other, dy_).v;
    EXPECT_GT(relative_distance(second, first), 1e-3);
    EXPECT_EQ(run.pass(other, dy_, true).v, second) << "computed again for backward";
    EXPECT_NEAR(dot(second, second), 1.0, 1e-6);
  }
}

TEST_F(VeloraSlot, TheSingularVectorKeepsMostOfTheEnergy) {
  const Values svd = pass({.groups = kGroups, .init = DirectionInit::kSvd}).z;
  for (const DirectionInit init : {DirectionInit::kFirstBatch, DirectionInit::kRandom}) {
    EXPECT_GE(dot(svd, svd), dot(pass({.groups = kGroups, .init = init}).z,
                                 pass({.groups = kGroups, .init = init}).z));
  }
}

TEST_F(VeloraSlot, InputsOfMeanZeroFallBackToAllAlike) {
  x_.assign(x_.size(), 0.0f);
  for (const float value : pass({.groups = kGroups}).v) {
    EXPECT_NEAR(value, 1.0 / std::sqrt(double(kSize)), 1e-7);
  }
}

TEST_F(VeloraSlot, AProbeMeasuresWhatIsKeptOfInputAndGradient) {
  SlotRun run(plan_of({.groups = kGroups, .scale = 0.3}));
  const SlotPass made = run.pass(x_, dy_);
  const Tensor sums = make_sums(run.backend(), "t", "probe", kSubtokenSquares);
  run.linear().subtokens()->probe_into(sums);
  EXPECT_EQ(run.pass(drawn(kSlotRows * kSlotIn, 9), dy_).v, made.v) << "probes move nothing";
  run.pass(x_, dy_);
  const std::vector<double> squares = read_sums(run.backend(), sums);
  EXPECT_NEAR(squares[1] / squares[0], dot(made.z, made.z) / dot(x_, x_), 1e-6);
  const Values& projected = made.gradients[0];
  const Values& exact = exact_.gradients[0];
  const double cosine =
      dot(projected, exact) / std::sqrt(dot(projected, projected) * dot(exact, exact));
  EXPECT_NEAR(std::sqrt(squares[3] / squares[4]), cosine, 1e-6);
}

// y += s B A x: A's gradient alone is projected.
class VeloraAdapter : public VeloraSlot {
 protected:
  LinearPlan adapter(const SubtokenPlan& subtokens) {
    LinearPlan plan = plan_of(subtokens);
    plan.adapter = {.rank = 3, .scale = 2.5};
    return plan;
  }
  SlotPass pass_with_b(const SubtokenPlan& subtokens) {
    SlotRun run(adapter(subtokens));
    const Values b = drawn(kSlotOut * 3, 5);
    run.backend().write(run.parameters()[3]->weight, b.data(),
                        run.parameters()[3]->weight.ref().bytes());
    return run.pass(x_, dy_);
  }
};

TEST_F(VeloraAdapter, OnlyTheGradientOfAIsProjected) {
  const SlotPass exact = pass_with_b({});
  const SlotPass made = pass_with_b({.groups = kGroups, .scale = 0.1});
  EXPECT_EQ(made.y, exact.y);
  EXPECT_EQ(made.dx, exact.dx);
  EXPECT_EQ(made.gradients[3], exact.gradients[3]) << "B's";
  EXPECT_TRUE(made.gradients[0].empty()) << "the frozen weight has none";
  EXPECT_LT(relative_distance(made.gradients[2], projected(exact.gradients[2], made.v), 0.1), 1e-5);
}

TEST_F(VeloraAdapter, AtTheStartOnlyBHasAGradient) {
  SlotRun run(adapter({.groups = kGroups}));
  const SlotPass made = run.pass(x_, dy_);
  EXPECT_EQ(dot(made.gradients[2], made.gradients[2]), 0.0);
  EXPECT_GT(dot(made.gradients[3], made.gradients[3]), 0.0);
}

TEST_F(VeloraSlot, OfTwoFactorsTheInnerOneIsProjected) {
  LinearPlan plan = plan_of({});
  plan.storage = LinearStorage::kLowRank;
  plan.rank = 6;
  const SlotPass exact = SlotRun(plan).pass(x_, dy_);
  plan.subtokens = {.groups = kGroups};
  const SlotPass made = SlotRun(plan).pass(x_, dy_);
  EXPECT_EQ(made.gradients[1], exact.gradients[1]);
  EXPECT_LT(relative_distance(made.gradients[0], projected(exact.gradients[0], made.v)), 1e-5);
}

TEST_F(VeloraSlot, FactoredStateSeesOneNumberASubtoken) {
  SlotRun run(plan_of({.groups = kGroups, .factored = true}));
  const SlotPass made = run.pass(x_, dy_);
  ASSERT_EQ(made.gradients[0].size(), std::size_t(kSlotOut * kGroups));
  const Values full = pass({.groups = kGroups}).gradients[0];
  Values rebuilt(full.size());
  for (std::size_t i = 0; i < full.size(); ++i) {
    rebuilt[i] = made.gradients[0][i / kSize] * made.v[i % kSize];
  }
  EXPECT_LT(relative_distance(rebuilt, full), 1e-6);
}

}  // namespace
}  // namespace lathe
