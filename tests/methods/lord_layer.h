// A made-up layer with correlated inputs that have a mean, and its errors counted row by row: the
// plain truth beside which the statistics are held.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "engine/base/rng.h"
#include "engine/methods/lord/solver.h"

namespace lathe {

inline std::vector<float> normal_values(std::size_t count, std::uint64_t stream) {
  Rng rng(7, stream);
  std::vector<float> values(count);
  for (float& value : values) {
    const double radius = std::sqrt(-2 * std::log(1 - rng.next_unit()));
    value = static_cast<float>(radius * std::cos(2 * std::numbers::pi * rng.next_unit()));
  }
  return values;
}

// Rows [count, width]: a mixture of independent sources of falling strength, around a mean.
inline std::vector<float> correlated_rows(std::int64_t count, std::int64_t width,
                                          std::uint64_t stream, double mean_size = 1) {
  const auto n = static_cast<std::size_t>(width);
  const std::vector<float> mixing = normal_values(n * n, 100);
  const std::vector<float> mean = normal_values(n, 101);
  const std::vector<float> sources = normal_values(static_cast<std::size_t>(count) * n, stream);
  std::vector<float> rows(sources.size());
  for (std::size_t i = 0; i < rows.size(); i += n) {
    for (std::size_t j = 0; j < n; ++j) {
      double x = mean_size * static_cast<double>(mean[j]);
      for (std::size_t k = 0; k < n; ++k) {
        x += static_cast<double>(mixing[j * n + k] * sources[i + k]) *
             std::exp(-4.0 * static_cast<double>(k) / static_cast<double>(n));
      }
      // Columns of very different size, as outlier channels are.
      rows[i + j] = static_cast<float>(x * (j % 5 == 0 ? 3 : 1));
    }
  }
  return rows;
}

struct ToyLayer {
  std::int64_t out;
  std::int64_t in;
  std::vector<float> weight;
  std::vector<float> bias;
  std::vector<float> rows;
  InputStatistics input;

  ToyLayer(std::int64_t out_side, std::int64_t in_side, std::vector<float> input_rows)
      : out(out_side),
        in(in_side),
        weight(normal_values(static_cast<std::size_t>(out * in), 200)),
        bias(normal_values(static_cast<std::size_t>(out), 201)),
        rows(std::move(input_rows)),
        input(in) {
    EXPECT_TRUE(input.add(rows).ok());
  }

  LayerProblem problem() const {
    return {.out = out, .in = in, .weight = weight, .bias = bias, .input = &input};
  }
};

// y = M x + b for M [out, in] given as its factors or whole, into `y`.
inline std::vector<double> apply(const std::vector<double>& m, const float* x, std::int64_t out,
                                 std::int64_t in) {
  std::vector<double> y(static_cast<std::size_t>(out));
  for (std::size_t o = 0; o < y.size(); ++o) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(in); ++j) {
      y[o] += m[o * static_cast<std::size_t>(in) + j] * static_cast<double>(x[j]);
    }
  }
  return y;
}

inline std::vector<double> whole_map(const LayerFactors& factors, std::int64_t out,
                                     std::int64_t in) {
  const auto r = static_cast<std::size_t>(factors.rank);
  const auto n = static_cast<std::size_t>(in);
  std::vector<double> map(static_cast<std::size_t>(out) * n);
  for (std::size_t o = 0; o < static_cast<std::size_t>(out); ++o) {
    for (std::size_t k = 0; k < r; ++k) {
      for (std::size_t j = 0; j < n; ++j) {
        map[o * n + j] += factors.b[o * r + k] * factors.a[k * n + j];
      }
    }
  }
  return map;
}

struct MeasuredError {
  double squared = 0;              // mean over rows of ||W x + b - (B A x' + b')||^2
  std::vector<double> mean_shift;  // mean over rows of the difference
};

inline MeasuredError measured_error(const ToyLayer& layer, const LayerFactors& factors,
                                    const std::vector<float>& read) {
  const std::vector<double> weight(layer.weight.begin(), layer.weight.end());
  const std::vector<double> map = whole_map(factors, layer.out, layer.in);
  const auto count = layer.rows.size() / static_cast<std::size_t>(layer.in);
  MeasuredError error{.squared = 0, .mean_shift = std::vector<double>(layer.bias.size())};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = i * static_cast<std::size_t>(layer.in);
    const std::vector<double> wanted = apply(weight, layer.rows.data() + at, layer.out, layer.in);
    const std::vector<double> given = apply(map, read.data() + at, layer.out, layer.in);
    for (std::size_t o = 0; o < wanted.size(); ++o) {
      const double off = wanted[o] + static_cast<double>(layer.bias[o]) - given[o] -
                         (factors.bias.empty() ? 0 : factors.bias[o]);
      error.squared += off * off / static_cast<double>(count);
      error.mean_shift[o] += off / static_cast<double>(count);
    }
  }
  return error;
}

inline LayerSolution solved(const LayerProblem& problem, const LordSolverOptions& options) {
  Result<LayerSolution> solution = solve_layer(problem, options);
  EXPECT_TRUE(solution.ok());
  return std::move(solution).value();
}

// Largest |a - b|, relative to the largest |a|.
inline double difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(a[i] - b[i]));
    size = std::max(size, std::abs(a[i]));
  }
  return most / size;
}

}  // namespace lathe
