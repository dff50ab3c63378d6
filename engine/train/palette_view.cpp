// See palette_view.h.
#include "engine/train/palette_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>

#include "engine/backend/sums.h"
#include "engine/nn/palette.h"
#include "engine/quant/half.h"

namespace lathe {
namespace {

constexpr std::string_view kSuffix = ".palette";
constexpr std::string_view kWholeSuffix = ".weight.palette";

std::string slot_of(const std::string& palette) {
  const bool whole = palette.ends_with(kWholeSuffix);
  return palette.substr(0, palette.size() - (whole ? kWholeSuffix : kSuffix).size());
}

std::vector<float> read_all(Backend& backend, TensorRef tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  backend.read(tensor, values.data(), tensor.bytes());
  return values;
}

double number_of(DType codes, std::size_t code) {
  const auto bits = static_cast<std::uint16_t>(code);
  return codes == DType::kBf16 ? float_of_bf16(bits) : float_of_half(bits);
}

double entropy_bits(std::span<const std::int64_t> uses) {
  const auto all = static_cast<double>(std::accumulate(uses.begin(), uses.end(), std::int64_t{0}));
  double bits = 0;
  for (const std::int64_t used : uses) {
    const double share = static_cast<double>(used) / all;
    bits -= used > 0 ? share * std::log2(share) : 0.0;
  }
  return bits;
}

// A matrix and its palette, looked at.
class Look {
 public:
  Look(Backend& backend, Palette& palette, const Parameter& weight)
      : backend_(backend),
        palette_(palette),
        weight_(weight.weight),
        codes_(palette.coded(weight_)),
        layer_(weight.layer),
        rows_(weight_.rows() / palette.groups()) {}

  PaletteView look();

 private:
  Tensor scratch(const char* name, Shape shape, DType dtype = DType::kF32) {
    return workspace(backend_, layer_, name, shape, dtype);
  }
  CodedWeights codes_of(std::int64_t group) const;
  // How often each of the 65,536 numbers is there.
  Tensor count(const CodedWeights& weights);
  void fill_histogram(PaletteView& view);
  std::vector<std::int64_t> uses_of(std::int64_t group, TensorRef numbers);
  std::vector<std::int64_t> uses_of_points(std::int64_t group, TensorRef numbers);
  void fill_uses(PaletteView& view);
  double soft_hard_distance();

  Backend& backend_;
  Palette& palette_;
  TensorRef weight_;
  CodedWeights codes_;
  std::string layer_;
  std::int64_t rows_;
};

CodedWeights Look::codes_of(std::int64_t group) const {
  CodedWeights part = codes_;
  part.w = codes_.w.row_range(group * rows_, rows_);
  if (codes_.scales.defined()) {
    part.scales = codes_.scales.row_range(group * rows_, rows_);
  }
  return part;
}

Tensor Look::count(const CodedWeights& weights) {
  Tensor counts = scratch("palette_counts", Shape{kPaletteCodes});
  const Tensor shares =
      scratch("palette_shares", Shape{kPaletteShares, kPaletteCodes}, DType::kI32);
  ops::palette_count(backend_, {.weights = weights, .counts = counts, .workspace = shares});
  return counts;
}

void Look::fill_histogram(PaletteView& view) {
  const std::vector<float> counts = read_all(backend_, count(codes_));
  std::vector<std::pair<double, std::int64_t>> there;
  for (std::size_t code = 0; code < counts.size(); ++code) {
    const double number = number_of(codes_.codes, code);
    if (counts[code] > 0 && std::isfinite(number)) {
      there.emplace_back(number, std::llround(counts[code]));
    }
  }
  view.histogram.assign(kPaletteBins, 0);
  if (there.empty()) {
    return;
  }
  const auto [low, high] = std::minmax_element(there.begin(), there.end());
  view.lowest = low->first;
  view.highest = high->first;
  const double range = view.highest - view.lowest;
  for (const auto& [number, times] : there) {
    const double share = range > 0 ? (number - view.lowest) / range : 0.0;
    const auto bin = std::min(static_cast<std::int64_t>(share * static_cast<double>(kPaletteBins)),
                              kPaletteBins - 1);
    view.histogram[static_cast<std::size_t>(bin)] += times;
  }
  // Zero has two codes.
  view.distinct = static_cast<std::int64_t>(there.size());
  if (counts[0] > 0 && counts[0x8000] > 0) {
    view.distinct -= 1;
  }
}

// Palettes of single numbers: what is nearest is a table, too.
std::vector<std::int64_t> Look::uses_of(std::int64_t group, TensorRef numbers) {
  const Tensor counted = count(codes_of(group));
  const Tensor nearest = scratch("palette_table", Shape{kPaletteCodes});
  ops::palette_apply(backend_, {.points = {.x = {}, .codes = codes_.codes, .counts = counted},
                                .centroids = palette_.centroids(group),
                                .values = numbers,
                                .out = nearest,
                                .hard = true});
  const std::vector<float> counts = read_all(backend_, counted);
  const std::vector<float> places = read_all(backend_, nearest);
  std::vector<std::int64_t> uses(static_cast<std::size_t>(palette_.plan().clusters), 0);
  for (std::size_t code = 0; code < counts.size(); ++code) {
    if (counts[code] > 0 && std::isfinite(number_of(codes_.codes, code))) {
      uses[static_cast<std::size_t>(places[code]) - 1] += std::llround(counts[code]);
    }
  }
  return uses;
}

// Of listed points the numbers of their centroids are counted as if they were weights.
std::vector<std::int64_t> Look::uses_of_points(std::int64_t group, TensorRef numbers) {
  const std::int64_t dim = palette_.plan().dim;
  TensorRef rows = codes_of(group).w;
  Tensor floats;
  if (rows.dtype == DType::kBf16) {
    floats = scratch("palette_points", rows.shape);
    ops::from_bf16(backend_, {.bits = rows, .x = floats});
    rows = floats;
  }
  const Shape listed{rows.elements() / dim, dim};
  const Tensor nearest = scratch("palette_nearest", listed);
  ops::palette_apply(backend_, {.points = {.x = rows.reshaped(listed)},
                                .centroids = palette_.centroids(group),
                                .values = numbers,
                                .out = nearest,
                                .hard = true});
  const std::vector<float> counts =
      read_all(backend_, count({.w = nearest, .codes = DType::kF16, .scales = {}}));
  std::vector<std::int64_t> uses;
  for (std::int64_t j = 0; j < palette_.plan().clusters; ++j) {
    uses.push_back(std::llround(counts[half_of_float(static_cast<float>(j + 1))]) / dim);
  }
  return uses;
}

void Look::fill_uses(PaletteView& view) {
  // The number of a centroid in place of its value: 1 to 256, which f16 has.
  std::vector<float> numbers;
  for (std::int64_t at = 0; at < view.clusters * view.dim; ++at) {
    numbers.push_back(static_cast<float>(at / view.dim + 1));
  }
  const Tensor values = scratch("palette_numbers", Shape{view.clusters, view.dim});
  backend_.write(values, numbers.data(), values.ref().bytes());
  for (std::int64_t group = 0; group < view.palettes; ++group) {
    const auto uses = view.dim == 1 ? uses_of(group, values) : uses_of_points(group, values);
    view.entropy_bits += entropy_bits(uses) / static_cast<double>(view.palettes);
    if (group < kShownPalettes) {
      const std::vector<float> centroids = read_all(backend_, palette_.centroids(group).c);
      view.centroids.insert(view.centroids.end(), centroids.begin(), centroids.end());
      view.uses.insert(view.uses.end(), uses.begin(), uses.end());
    }
  }
}

double Look::soft_hard_distance() {
  palette_.set_soft(true);
  const Tensor soft = palette_.weights(weight_);
  palette_.set_soft(false);
  palette_.forget();
  const Tensor hard = palette_.weights(weight_);
  ops::scale(backend_, {.x = hard, .factor = -1.0f});
  ops::add(backend_, {.a = soft, .b = hard, .out = soft});
  const std::array<TensorRef, 2> both{soft, hard};
  const Tensor sums = make_sums(backend_, layer_, "palette_squares", 3);
  ops::sum_squares(backend_,
                   {.x = both, .sums = sums_at(sums, 0, 2), .total = sums_at(sums, 2, 1)});
  const std::vector<double> squares = read_sums(backend_, sums);
  return squares[1] > 0 ? std::sqrt(squares[0] / squares[1]) : 0.0;
}

PaletteView Look::look() {
  PaletteView view;
  view.slot = slot_of(palette_.name());
  view.weights = weight_.elements();
  view.clusters = palette_.plan().clusters;
  view.dim = palette_.plan().dim;
  view.palettes = palette_.groups();
  view.stored_bytes = palette_.stored_bytes();
  fill_histogram(view);
  fill_uses(view);
  view.soft_hard_distance = soft_hard_distance();
  return view;
}

}  // namespace

PaletteView view_palette(Backend& backend, Palette& palette, const Parameter& weight) {
  return Look(backend, palette, weight).look();
}

}  // namespace lathe
