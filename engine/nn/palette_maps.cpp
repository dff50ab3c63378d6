// Maps in memory, and what of them is kept once, by distinct values, or by other learners.
#include "engine/nn/palette_maps.h"

#include <algorithm>
#include <cmath>

#include "engine/quant/half.h"

namespace lathe {
namespace {

float number_of(DType codes, std::uint16_t bits) {
  return codes == DType::kF16 ? float_of_half(bits) : float_of_bf16(bits);
}

std::int64_t count_ranks(const std::vector<std::int32_t>& ranks) {
  return std::count_if(ranks.begin(), ranks.end(), [](std::int32_t rank) { return rank >= 0; });
}

}  // namespace

std::int64_t expected_distinct(DType codes, std::int64_t weights, double stddev) {
  // A code has the weights up to half way to its neighbours: between ascending finite numbers.
  std::vector<double> numbers;
  for (std::int64_t code = 0; code < kPaletteCodes; ++code) {
    const float value = number_of(codes, static_cast<std::uint16_t>(code));
    if (std::isfinite(value) && code != 0x8000) {
      numbers.push_back(double(value));
    }
  }
  std::sort(numbers.begin(), numbers.end());
  const auto below = [&](double value) {
    return 0.5 * std::erfc(-value / stddev / std::sqrt(2.0));
  };
  double expected = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double low = i == 0 ? 0.0 : below(0.5 * (numbers[i - 1] + numbers[i]));
    const double high = i + 1 == numbers.size() ? 1.0 : below(0.5 * (numbers[i] + numbers[i + 1]));
    expected -= std::expm1(static_cast<double>(weights) * std::log1p(low - high));
  }
  return std::max<std::int64_t>(1, std::llround(expected));
}

TensorRef SharedRows::whole(Backend& backend, const std::string& layer, Tensor& room) const {
  if (parts_.size() == 1) {
    return parts_.front();
  }
  std::int64_t rows = 0;
  for (const Tensor& part : parts_) {
    rows += part.ref().rows();
  }
  const TensorRef first = parts_.front();
  room = workspace(backend, layer, "palette_gathered", Shape{rows, first.cols()}, first.dtype);
  std::int64_t at = 0;
  for (const Tensor& part : parts_) {
    const TensorRef from = part;
    ops::copy(backend, {.from = from, .to = room.ref().row_range(at, from.rows())});
    at += from.rows();
  }
  return room;
}

std::string PaletteMaps::layer_of(std::int64_t learner) const {
  return learner == 0 ? layer_ : layer_ + ".learner" + std::to_string(learner);
}

Tensor PaletteMaps::kept(std::int64_t learner, const char* name, Shape shape, DType dtype) const {
  return Tensor(backend_->allocator(), dtype, shape,
                Tag{Category::kQuantizer, layer_of(learner), name});
}

CodedWeights PaletteMaps::part_of(const CodedWeights& weights, std::int64_t learner) const {
  const std::int64_t rows = weights.w.rows();
  const std::int64_t first = learner * rows / plan_.learners;
  const std::int64_t count = (learner + 1) * rows / plan_.learners - first;
  CodedWeights part = weights;
  part.w = weights.w.row_range(first, count);
  if (weights.scales.defined()) {
    part.scales = weights.scales.row_range(first, count);
  }
  return part;
}

PaletteMaps::Ranks PaletteMaps::ranks_of(const CodedWeights& weights) const {
  Ranks ranks(static_cast<std::size_t>(kPaletteCodes), -1);
  if (!backend_->computes()) {
    const std::int64_t distinct =
        expected_distinct(weights.codes, weights.w.elements(), plan_.stddev);
    std::fill_n(ranks.begin(), distinct, 0);
    return ranks;
  }
  const Tensor counts = workspace(*backend_, layer_, "palette_counts", Shape{kPaletteCodes});
  const Tensor shares = workspace(*backend_, layer_, "palette_shares",
                                  Shape{kPaletteShares, kPaletteCodes}, DType::kI32);
  ops::palette_count(*backend_, {.weights = weights, .counts = counts, .workspace = shares});
  std::vector<float> host(ranks.size());
  backend_->read(counts, host.data(), counts.ref().bytes());
  std::int32_t next = 0;
  for (std::size_t code = 0; code < host.size(); ++code) {
    ranks[code] = host[code] > 0.0f ? next++ : -1;
  }
  return ranks;
}

Tensor PaletteMaps::values_of(const Ranks& ranks, DType codes) const {
  std::vector<float> values;
  for (std::size_t code = 0; code < ranks.size(); ++code) {
    if (ranks[code] >= 0) {
      values.push_back(number_of(codes, static_cast<std::uint16_t>(code)));
    }
  }
  Tensor made = workspace(*backend_, layer_, "palette_values",
                          Shape{static_cast<std::int64_t>(values.size()), 1});
  backend_->write(made, values.data(), made.ref().bytes());
  return made;
}

PaletteMaps::Map PaletteMaps::map_of(const CodedWeights& weights, const PaletteCentroids& centroids,
                                     Kind kind, const std::vector<Ranks>& ranks) {
  Map map;
  for (std::int64_t learner = 0; learner < plan_.learners; ++learner) {
    CodedWeights part = part_of(weights, learner);
    Tensor values;
    if (distinct()) {
      Tensor index = kept(learner, "palette_index", Shape{part.w.elements(), 1}, part.codes);
      ops::palette_codes(*backend_, {.weights = part, .out = index});
      map.index.keep(std::move(index));
      values = values_of(ranks[static_cast<std::size_t>(learner)], part.codes);
      part = {.w = values, .codes = part.codes};
    }
    Tensor rows =
        kept(learner, "palette_map", Shape{part.w.elements(), plan_.clusters}, plan_.maps);
    ops::palette_map(*backend_, {.weights = part,
                                 .centroids = centroids,
                                 .distances = kind == Kind::kDistance ? rows.ref() : TensorRef{},
                                 .attention = kind == Kind::kDistance ? TensorRef{} : rows.ref(),
                                 .floored = kind == Kind::kFloored});
    map.values.keep(std::move(rows));
  }
  return map;
}

SharedRows PaletteMaps::codes_of(const CodedWeights& weights, const char* name) const {
  SharedRows codes;
  for (std::int64_t learner = 0; learner < plan_.learners; ++learner) {
    const CodedWeights part = part_of(weights, learner);
    Tensor made = kept(learner, name, Shape{part.w.elements(), 1}, part.codes);
    ops::palette_codes(*backend_, {.weights = part, .out = made});
    codes.keep(std::move(made));
  }
  return codes;
}

void PaletteMaps::keep(const CodedWeights& weights, const PaletteCentroids& centroids, bool last) {
  Iteration& kept = kept_.emplace_back();
  for (std::int64_t learner = 0; learner < plan_.learners && distinct(); ++learner) {
    kept.ranks.push_back(ranks_of(part_of(weights, learner)));
  }
  const auto map = [&](Kind kind) { return map_of(weights, centroids, kind, kept.ranks); };
  kept.distance = map(Kind::kDistance);
  kept.softmax = map(Kind::kAttention);
  // Weights are the same in all iterations: kept once, they are those of the first.
  const bool first = (kept_.size() - 1) % static_cast<std::size_t>(plan_.iterations) == 0;
  if (twice() || first) {
    kept.x_distance = codes_of(weights, "palette_x");
  }
  if (!twice()) {
    return;
  }
  kept.square = map(Kind::kDistance);
  kept.floor = map(Kind::kAttention);
  kept.update = map(Kind::kFloored);
  kept.x_update = codes_of(weights, "palette_x");
  if (last) {
    kept.output = map(Kind::kFloored);
  }
}

void PaletteMaps::backward(std::size_t number, PaletteMapBackwardArgs args) {
  const Iteration& kept = kept_[number];
  std::vector<Tensor> rooms(16);
  std::size_t taken = 0;
  const auto whole = [&](const SharedRows& rows) {
    return rows.whole(*backend_, layer_, rooms[taken++]);
  };
  Tensor ranks;
  if (distinct()) {
    // Rows of equal values are equal, whichever learner's they are.
    Ranks all(static_cast<std::size_t>(kPaletteCodes), 0);
    std::int32_t before = 0;
    for (const Ranks& own : kept.ranks) {
      for (std::size_t code = 0; code < own.size(); ++code) {
        all[code] = own[code] >= 0 ? before + own[code] : all[code];
      }
      before += static_cast<std::int32_t>(count_ranks(own));
    }
    ranks = workspace(*backend_, layer_, "palette_ranks", Shape{kPaletteCodes}, DType::kI32);
    backend_->write(ranks, all.data(), ranks.ref().bytes());
  }
  const auto read = [&](const Map& map) {
    return PaletteMap{.values = whole(map.values),
                      .index = distinct() ? whole(map.index) : TensorRef{},
                      .ranks = ranks};
  };
  args.distance = read(kept.distance);
  args.softmax = read(kept.softmax);
  args.square = twice() ? read(kept.square) : args.distance;
  args.floor = twice() ? read(kept.floor) : args.softmax;
  args.update = twice() ? read(kept.update) : args.softmax;
  if (args.apply) {
    args.output = twice() ? read(kept.output) : args.softmax;
  }
  const auto steps = static_cast<std::size_t>(plan_.iterations);
  args.x_distance = whole(twice() ? kept.x_distance : kept_[number / steps * steps].x_distance);
  args.x_update = twice() ? whole(kept.x_update) : args.x_distance;
  ops::palette_map_backward(*backend_, args);
}

}  // namespace lathe
