// The first centroids of a palette, found on the host.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/nn/palette.h"
#include "engine/quant/half.h"
#include "engine/quant/kmeans.h"

namespace lathe {
namespace {

// The mean distance of a centroid to the nearest other, squared.
double square_gap(std::span<const float> centroids, std::int64_t dim) {
  const auto width = static_cast<std::size_t>(dim);
  const std::size_t count = centroids.size() / width;
  double sum = 0;
  for (std::size_t a = 0; a < count; ++a) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t b = 0; b < count; ++b) {
      double square = 0;
      for (std::size_t e = 0; e < width && a != b; ++e) {
        const double off = double(centroids[a * width + e]) - double(centroids[b * width + e]);
        square += off * off;
      }
      least = a == b ? least : std::min(least, square);
    }
    sum += std::sqrt(least);
  }
  const double mean = sum / static_cast<double>(count);
  return mean * mean;
}

std::vector<float> read_floats(Backend& backend, TensorRef weight) {
  std::vector<float> values(static_cast<std::size_t>(weight.elements()));
  if (weight.dtype == DType::kF32) {
    backend.read(weight, values.data(), weight.bytes());
    return values;
  }
  std::vector<std::uint16_t> bits(values.size());
  backend.read(weight, bits.data(), weight.bytes());
  std::transform(bits.begin(), bits.end(), values.begin(),
                 [](std::uint16_t half) { return float_of_bf16(half); });
  return values;
}

float scale_of(PaletteScale kind, std::span<const float> row) {
  const auto [least, most] = std::minmax_element(row.begin(), row.end());
  const float scale = kind == PaletteScale::kRange ? 0.5f * (*most - *least)
                                                   : std::max(std::fabs(*least), std::fabs(*most));
  return scale > 0.0f ? scale : 1.0f;
}

}  // namespace

Result<void> Palette::begin(const Parameter& weight) {
  if (!backend_->computes()) {
    begun_ = true;
    return {};
  }
  std::vector<float> values = read_floats(*backend_, weight.weight);
  if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
    return Error{ErrorKind::kData, weight.name + " has a weight that is not finite",
                 "begin with a model whose weights are numbers, or lower lr"};
  }
  scale_rows(values);
  if (weight.weight.dtype() == DType::kBf16 && !scales_.defined()) {
    codes_ = DType::kBf16;  // its own
  }
  const auto size = static_cast<std::size_t>(rows_ * in_);
  for (std::int64_t number = 0; number < groups(); ++number) {
    const auto group = std::span(values).subspan(static_cast<std::size_t>(number) * size, size);
    if (const Result<void> done = begin_group(number, group); !done) {
      return done;
    }
  }
  begun_ = true;
  return {};
}

void Palette::scale_rows(std::span<float> weights) {
  if (!scales_.defined()) {
    return;
  }
  const auto width = static_cast<std::size_t>(in_);
  std::vector<float> scales;
  for (std::size_t row = 0; row < static_cast<std::size_t>(out_); ++row) {
    const auto values = weights.subspan(row * width, width);
    scales.push_back(scale_of(plan_.scale, values));
    std::transform(values.begin(), values.end(), values.begin(),
                   [&](float value) { return value / scales.back(); });
  }
  backend_->write(scales_, scales.data(), scales_.ref().bytes());
}

Result<void> Palette::begin_group(std::int64_t number, std::span<float> weights) {
  const auto few = [&](std::size_t distinct) {
    const std::int64_t first = number * rows_;
    return Error{ErrorKind::kData,
                 name_ + ": rows " + std::to_string(first) + " to " +
                     std::to_string(first + rows_ - 1) + " have " + std::to_string(distinct) +
                     (plan_.dim == 1 ? " distinct values" : " distinct vectors at most") +
                     ", fewer than the " + std::to_string(plan_.clusters) + " centroids",
                 "lower method.dkm.bits or clusters, raise method.dkm.rows, or name other targets"};
  };
  std::vector<float> centroids;
  const int clusters = static_cast<int>(plan_.clusters);
  if (plan_.dim == 1) {
    const Result<DistinctValues> distinct = distinct_values(codes_, weights);
    if (!distinct) {
      return Error{distinct.error().kind, name_ + ": " + distinct.error().message,
                   distinct.error().remedy};
    }
    if (static_cast<std::int64_t>(distinct->values.size()) < plan_.clusters) {
      return few(distinct->values.size());
    }
    const float most = std::max(-distinct->values.front(), distinct->values.back());
    centroids = plan_.init == PaletteInit::kNormal
                    ? normal_levels(clusters, most)
                    : best_centroids(distinct->values, distinct->weights, clusters);
  } else {
    centroids =
        vector_centroids(weights, {}, {.dim = static_cast<int>(plan_.dim), .clusters = clusters});
  }
  const double gap = square_gap(centroids, plan_.dim);
  if (gap == 0.0) {
    return few(1);
  }
  const auto tau = static_cast<float>(plan_.temperature * (plan_.relative ? gap : 1.0));
  const TensorRef to = centroids_.ref().row_range(number * plan_.clusters, plan_.clusters);
  backend_->write(to, centroids.data(), to.bytes());
  backend_->write(tau_.ref().row_range(number, 1), &tau, sizeof tau);
  return {};
}

}  // namespace lathe
