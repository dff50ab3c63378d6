// GaLore in one slot: what a projection is, what an update becomes, and that nothing of a gradient
// is lost between passes.
#include "engine/methods/galore/galore.h"

#include <gtest/gtest.h>
#include <lapacke.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "engine/backend/sums.h"
#include "engine/base/rng.h"
#include "engine/nn/linear.h"
#include "engine/optim/adamw.h"

namespace lathe {
namespace {

using Values = std::vector<float>;

struct Sides {
  std::int64_t out, in;
  std::int64_t smaller() const { return std::min(out, in); }
  std::int64_t larger() const { return std::max(out, in); }
};
constexpr std::array kSides{Sides{40, 24}, Sides{24, 40}, Sides{24, 24}};

Values drawn(std::int64_t count, std::uint64_t stream) {
  Rng rng(11, stream);
  Values values(static_cast<std::size_t>(count));
  for (float& value : values) {
    value = static_cast<float>(rng.next_unit() - 0.5);
  }
  return values;
}

Values values_of(TensorRef tensor) {
  return {tensor.f32(), tensor.f32() + tensor.elements()};
}

double squares(const Values& values) {
  double sum = 0;
  for (const float value : values) {
    sum += double(value) * double(value);
  }
  return sum;
}

double distance(const Values& a, const Values& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, double(std::abs(a[i] - b[i])));
  }
  return most;
}

Tensor tensor_of(Backend& backend, const Shape& shape, const Values& values) {
  Tensor made = workspace(backend, "t", "values", shape);
  backend.write(made, values.data(), made.ref().bytes());
  return made;
}

// A slot of those sides, with the one optimizer that trains it.
struct Slot {
  Slot(const Sides& sides, const GalorePlan& galore, const std::string& device = "cpu_ref")
      : backend(std::move(*make_backend(device, 1))),
        linear(*backend, {.name = "layers.0.mlp.up",
                          .in = sides.in,
                          .out = sides.out,
                          .init_std = 0.3,
                          .galore = galore}),
        optimizer(*backend, parameters(), 1),
        sums(make_sums(*backend, "t", "sums", 3)) {
    linear.initialise(3, 16);
    clear_sums(*backend, sums);
  }
  std::vector<Parameter*> parameters() {
    std::vector<Parameter*> all;
    linear.append_parameters(all);
    return all;
  }
  Parameter& weight() { return *optimizer.parameters()[0]; }
  GradientProjection& projection() { return *linear.projection(); }

  // A pass on these rows of x and dy.
  void backward(const Values& x, const Values& dy, std::int64_t first, std::int64_t rows) {
    const auto part = [&](const Values& all, std::int64_t width) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first * width);
      return tensor_of(*backend, Shape{rows, width},
                       {begin, begin + static_cast<std::ptrdiff_t>(rows * width)});
    };
    const Tensor in = part(x, linear.plan().in);
    const Tensor gradient = part(dy, linear.plan().out);
    const Tensor dx = workspace(*backend, "t", "dx", Shape{rows, linear.plan().in});
    linear.backward(in, gradient, dx, 0.0f, {});
  }
  void step(const OptimConfig& config, std::int64_t number) {
    optimizer.measure(sums_at(sums, 0, 1), sums_at(sums, 1, 1));
    optimizer.step(config, config.lr, number,
                   {.squares = sums_at(sums, 1, 1), .loss = {}, .refused = sums_at(sums, 2, 1)});
    optimizer.drop_gradients();
  }

  std::unique_ptr<Backend> backend;
  Linear linear;
  AdamW optimizer;
  Tensor sums;  // of the weight, of all, refused
};

// R of a gradient that chooses P.
Values chosen(Slot& slot, const Sides& sides, const Values& gradient) {
  GradientProjection& projection = slot.projection();
  const Tensor g = tensor_of(*slot.backend, Shape{sides.out, sides.in}, gradient);
  const Tensor r = workspace(*slot.backend, "t", "r", projection.projected_shape());
  projection.begin_step(0);
  projection.project(g, r, 0.0f);
  return values_of(r);
}

// Descending.
Values singular_values(Values matrix, const Sides& sides) {
  Values values(static_cast<std::size_t>(sides.smaller()));
  EXPECT_EQ(
      LAPACKE_sgesdd(LAPACK_ROW_MAJOR, 'N', static_cast<int>(sides.out), static_cast<int>(sides.in),
                     matrix.data(), static_cast<int>(sides.in), values.data(), nullptr,
                     static_cast<int>(sides.out), nullptr, static_cast<int>(sides.in)),
      0);
  return values;
}

TEST(GaloreSlot, RowsOfAProjectionAreOrthonormalAndOfTheSmallerSide) {
  for (const Sides& sides : kSides) {
    for (const std::int64_t rank : {std::int64_t{1}, std::int64_t{5}, sides.smaller()}) {
      Slot slot(sides, {.rank = rank}, "cpu");
      chosen(slot, sides, drawn(sides.out * sides.in, 1));
      const TensorRef p = slot.projection().basis();
      ASSERT_EQ(p.shape, (Shape{rank, sides.smaller()}));
      const Shape seen = slot.projection().projected_shape();
      EXPECT_EQ(seen, sides.in <= sides.out ? (Shape{sides.out, rank}) : (Shape{rank, sides.in}));
      for (std::int64_t i = 0; i < rank; ++i) {
        for (std::int64_t j = 0; j <= i; ++j) {
          double product = 0;
          for (std::int64_t k = 0; k < p.cols(); ++k) {
            product += double(p.f32()[i * p.cols() + k]) * double(p.f32()[j * p.cols() + k]);
          }
          ASSERT_NEAR(product, i == j ? 1.0 : 0.0, 1e-5);
        }
      }
    }
  }
}

TEST(GaloreSlot, ItKeepsTheEnergyOfTheLeadingSingularValues) {
  for (const Sides& sides : kSides) {
    const Values gradient = drawn(sides.out * sides.in, 2);
    Values spectrum = singular_values(gradient, sides);
    spectrum.resize(5);
    Slot slot(sides, {.rank = 5});
    const Values r = chosen(slot, sides, gradient);
    EXPECT_NEAR(squares(r), squares(spectrum), 1e-5 * squares(spectrum));
    EXPECT_NEAR(slot.projection().kept_energy().value(), squares(spectrum) / squares(gradient),
                1e-6);
  }
}

// Plain descent by what is left of a gradient: all of it, of all directions.
TEST(GaloreSlot, OfAllDirectionsAStepOfDescentIsThePlainOne) {
  constexpr float kRate = 0.1f;
  for (const char* device : {"cpu_ref", "cpu"}) {
    for (const Sides& sides : kSides) {
      const Values gradient = drawn(sides.out * sides.in, 3);
      Slot slot(sides, {.rank = sides.smaller(), .scale = 1}, device);
      Values want = values_of(slot.weight().weight);
      for (std::size_t i = 0; i < want.size(); ++i) {
        want[i] -= kRate * gradient[i];
      }
      Values moved = chosen(slot, sides, gradient);
      std::transform(moved.begin(), moved.end(), moved.begin(),
                     [](float value) { return -kRate * value; });
      const Tensor z = tensor_of(*slot.backend, slot.projection().projected_shape(), moved);
      slot.projection().add_back(z, slot.weight().weight);
      EXPECT_LT(distance(values_of(slot.weight().weight), want), 1e-5) << device;
    }
  }
}

// W = (1 - lr decay) W - lr alpha (R / (|R| + eps)) P, which is what AdamW makes of its first
// gradient; alpha leaves decay alone.
TEST(GaloreSlot, TheFirstStepIsAdamsAlongTheDirections) {
  const OptimConfig config{.lr = 0.01, .eps = 1e-8, .weight_decay = 0.5, .clip_norm = 0};
  for (const bool per_layer : {false, true}) {
    for (const Sides& sides : kSides) {
      Slot slot(sides, {.rank = 5, .scale = 0.25, .per_layer = per_layer});
      const Values x = drawn(9 * sides.in, 4), dy = drawn(9 * sides.out, 5);
      const Values before = values_of(slot.weight().weight);
      Slot other(sides, {.rank = 5, .scale = 0.25});
      other.backward(x, dy, 0, 9);
      const Values r = chosen(other, sides, values_of(other.weight().gradient));
      slot.projection().begin_step(0);
      slot.backward(x, dy, 0, 9);
      slot.step(config, 1);
      const Values after = values_of(slot.weight().weight);
      const float* p = slot.projection().basis().f32();
      const std::int64_t k = sides.smaller(), n = sides.larger();
      const bool right = sides.in <= sides.out;
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < k; ++j) {
          double along = 0;
          for (std::int64_t d = 0; d < 5; ++d) {
            const double seen = r[static_cast<std::size_t>(right ? i * 5 + d : d * n + i)];
            along += seen / (std::abs(seen) + 1e-8) * double(p[d * k + j]);
          }
          const auto at = static_cast<std::size_t>(right ? i * k + j : j * n + i);
          ASSERT_NEAR(after[at], 0.995 * double(before[at]) - 0.0025 * along, 1e-6);
        }
      }
    }
  }
}

TEST(GaloreSlot, StatesAreOfTheProjectedGradient) {
  for (const Sides& sides : kSides) {
    constexpr std::int64_t kRank = 16;  // whole granules of the ledger
    Slot slot(sides, {.rank = kRank});
    const LedgerSnapshot live = slot.backend->ledger().live();
    EXPECT_EQ(live.by_category[static_cast<std::size_t>(Category::kOptimizer)],
              4 * (2 * sides.larger() * kRank + sides.smaller() * kRank));
  }
}

// Four passes a step and one on all their rows: what is seen, and what becomes of the weight.
TEST(GaloreSlot, AccumulatedPassesAreOneOnTheSummedGradient) {
  const OptimConfig config{.lr = 0.01, .weight_decay = 0.1, .clip_norm = 0};
  for (const char* device : {"cpu_ref", "cpu"}) {
    for (const Sides& sides : kSides) {
      const GalorePlan plan{.rank = 5, .scale = 0.25, .update_every = 3, .per_layer = true};
      GalorePlan kept = plan;
      kept.per_layer = false;
      Slot layers(sides, plan, device), whole(sides, kept, device);
      for (std::int64_t step = 0; step < 3; ++step) {
        const auto stream = static_cast<std::uint64_t>(10 + 2 * step);
        const Values x = drawn(12 * sides.in, stream), dy = drawn(12 * sides.out, stream + 1);
        layers.projection().begin_step(step);
        whole.projection().begin_step(step);
        whole.backward(x, dy, 0, 12);
        const std::int64_t rows = step == 0 ? 12 : 3;  // the first chooses P by one gradient
        for (std::int64_t first = 0; first < 12; first += rows) {
          layers.backward(x, dy, first, rows);
          EXPECT_FALSE(layers.weight().gradient.defined()) << "its memory is given back";
        }
        whole.step(config, step + 1);
        layers.step(config, step + 1);
        EXPECT_FALSE(layers.projection().gradient().defined());
        ASSERT_LT(distance(values_of(layers.weight().weight), values_of(whole.weight().weight)),
                  1e-6)
            << device << " step " << step;
      }
    }
  }
}

// Of a step that chooses, the first pass decides: what passes add up lies along the same
// directions.
TEST(GaloreSlot, PassesOfAStepShareTheDirectionsOfItsFirst) {
  for (const Sides& sides : kSides) {
    const GalorePlan plan{.rank = 5, .per_layer = true};
    Slot slot(sides, plan), alone(sides, plan);
    const Values x = drawn(12 * sides.in, 4), dy = drawn(12 * sides.out, 5);
    for (Slot* one : {&slot, &alone}) {
      one->projection().begin_step(0);
      one->backward(x, dy, 0, 6);
    }
    const Values basis = values_of(slot.projection().basis());
    const Values first = values_of(slot.projection().gradient());
    alone.projection().drop_gradient();
    slot.backward(x, dy, 6, 6);
    alone.backward(x, dy, 6, 6);
    EXPECT_EQ(values_of(slot.projection().basis()), basis);
    Values sum = values_of(alone.projection().gradient());
    std::transform(sum.begin(), sum.end(), first.begin(), sum.begin(), std::plus<>());
    EXPECT_LT(distance(values_of(slot.projection().gradient()), sum), 1e-5);
  }
}

TEST(GaloreSlot, AStepThatIsNotFiniteLeavesWeightsMomentsAndDirections) {
  const OptimConfig config{.lr = 0.01, .weight_decay = 0.5};
  const Sides sides{40, 24};
  for (const bool per_layer : {false, true}) {
    Slot slot(sides, {.rank = 5, .update_every = 1, .per_layer = per_layer}, "cpu");
    const Values x = drawn(9 * sides.in, 4);
    Values dy = drawn(9 * sides.out, 5);
    slot.projection().begin_step(0);
    slot.backward(x, dy, 0, 9);
    slot.step(config, 1);
    const Values weight = values_of(slot.weight().weight);
    const Values moment = values_of(slot.optimizer.first_moment(0).values);
    const Values basis = values_of(slot.projection().basis());
    dy[7] = std::numeric_limits<float>::infinity();
    slot.projection().begin_step(1);
    slot.backward(x, dy, 0, 9);
    slot.step(config, 2);
    EXPECT_EQ(read_sums(*slot.backend, slot.sums)[2], 1.0) << "refused";
    EXPECT_EQ(values_of(slot.weight().weight), weight);
    EXPECT_EQ(values_of(slot.optimizer.first_moment(0).values), moment);
    EXPECT_EQ(values_of(slot.projection().basis()), basis);
    EXPECT_FALSE(slot.projection().kept_energy().has_value());
  }
}

}  // namespace
}  // namespace lathe
