// Nearest centroids of a checkpoint's weights.
#include "engine/io/palette_merge.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <span>

#include "engine/io/checkpoint_values.h"
#include "engine/nn/palette.h"
#include "engine/quant/half.h"
#include "engine/quant/kmeans.h"
#include "engine/quant/palette_matrix.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

struct PaletteState {
  std::vector<float> centroids;  // [groups, K, d]
  std::vector<float> tau;        // [groups]; 0 before the palette had begun
  std::vector<float> scales;     // [rows], or empty
};

std::int64_t groups_of(const PalettePlan& plan, std::int64_t rows) {
  return plan.rows > 0 ? rows / plan.rows : 1;
}

Result<PaletteState> read_state(const SafetensorsFile& file, const std::filesystem::path& folder,
                                const std::string& matrix, const PalettePlan& plan,
                                std::int64_t rows) {
  PaletteState state;
  const std::int64_t groups = groups_of(plan, rows);
  Result<void> read;
  const auto take = [&](const char* leaf, const std::vector<std::int64_t>& shape,
                        std::vector<float>& values) {
    auto floats = checkpoint_floats(file, folder, matrix + ".palette" + leaf, shape);
    if (!floats) {
      read = floats.error();
    } else if (!std::all_of(floats->begin(), floats->end(),
                            [](float value) { return std::isfinite(value); })) {
      read = Error{ErrorKind::kData,
                   folder.string() + ": " + matrix + ".palette" + leaf + " is not finite",
                   "the checkpoint is damaged; take another one"};
    } else {
      values = std::move(*floats);
    }
  };
  take(".centroids", {groups * plan.clusters, plan.dim}, state.centroids);
  take(".tau", {groups, 1}, state.tau);
  if (plan.scale != PaletteScale::kNone) {
    take(".scales", {rows, 1}, state.scales);
  }
  return read ? Result<PaletteState>(std::move(state)) : read.error();
}

std::uint8_t nearest(std::span<const float> centroids, std::span<const float> point) {
  std::size_t found = 0;
  float least = std::numeric_limits<float>::infinity();
  for (std::size_t j = 0; j < centroids.size() / point.size(); ++j) {
    float square = 0.0f;
    for (std::size_t e = 0; e < point.size(); ++e) {
      const float off = point[e] - centroids[j * point.size() + e];
      square += off * off;
    }
    found = square < least ? j : found;
    least = std::min(square, least);
  }
  return static_cast<std::uint8_t>(found);
}

// Of single weights, which are compared by their 16 bits: each code once.
class CodeFinder {
 public:
  CodeFinder(DType codes, std::span<const float> centroids)
      : codes_(codes), centroids_(centroids), found_(65536) {}
  std::uint8_t operator()(float x) {
    const std::uint16_t bits = codes_ == DType::kF16 ? half_of_float(x) : bf16_of_float(x);
    std::optional<std::uint8_t>& at = found_[bits];
    if (!at) {
      const float rounded = codes_ == DType::kF16 ? float_of_half(bits) : float_of_bf16(bits);
      at = nearest(centroids_, std::span(&rounded, 1));
    }
    return *at;
  }

 private:
  DType codes_;
  std::span<const float> centroids_;
  std::vector<std::optional<std::uint8_t>> found_;
};

std::vector<std::uint8_t> codes_of(std::span<const float> values, std::int64_t cols,
                                   const PaletteState& state, const PalettePlan& plan,
                                   DType compared) {
  std::vector<std::uint8_t> codes;
  const auto groups = state.tau.size();
  const auto dim = static_cast<std::size_t>(plan.dim);
  const std::size_t size = values.size() / groups;
  const std::size_t width = state.centroids.size() / groups;
  for (std::size_t g = 0; g < groups; ++g) {
    const auto centroids = std::span(state.centroids).subspan(g * width, width);
    CodeFinder find(compared, centroids);
    for (std::size_t i = g * size; i < (g + 1) * size; i += dim) {
      const float scale =
          state.scales.empty() ? 1.0f : state.scales[i / static_cast<std::size_t>(cols)];
      codes.push_back(dim == 1 ? find(values[i] / scale)
                               : nearest(centroids, values.subspan(i, dim)));
    }
  }
  return codes;
}

StoredValues stored(const PaletteParts& parts) {
  const StoredType type = palette_dtype(parts.bits, parts.dim);
  if (fits_type(type, parts.rows, parts.cols)) {
    return {.type = type, .bytes = palette_matrix(parts)};
  }
  std::vector<float> values;
  const auto dim = static_cast<std::size_t>(parts.dim);
  const auto row = static_cast<std::size_t>(parts.cols);
  const std::size_t palette = static_cast<std::size_t>(parts.rows_per_palette) * row;
  for (std::size_t i = 0; i < parts.codes.size() * dim; ++i) {
    const std::size_t entry = i / palette * static_cast<std::size_t>(parts.clusters) +
                              static_cast<std::size_t>(parts.codes[i / dim]);
    const float value = float_of_half(half_of_float(parts.lut[entry * dim + i % dim]));
    values.push_back(parts.row_scales.empty() ? value : parts.row_scales[i / row] * value);
  }
  StoredValues out{.type = StoredType::kF32, .bytes = {}};
  out.bytes.resize(values.size() * sizeof(float));
  std::memcpy(out.bytes.data(), values.data(), out.bytes.size());
  return out;
}

// A table of 256 values, those of least squared error; fewer where it has fewer.
Result<StoredValues> stored_table(const ModelFile& model, const ModelTensor& tensor) {
  const std::vector<float> values = model.floats(tensor.name);
  const Result<DistinctValues> distinct = distinct_values(DType::kF16, values);
  if (!distinct) {
    return Error{distinct.error().kind, tensor.name + ": " + distinct.error().message,
                 distinct.error().remedy};
  }
  const auto clusters =
      std::min(kTablePalette.clusters, static_cast<std::int64_t>(distinct->values.size()));
  const PaletteState state{
      .centroids = best_centroids(distinct->values, distinct->weights, static_cast<int>(clusters)),
      .tau = {1.0f},
      .scales = {}};
  return stored({.bits = 8,
                 .dim = 1,
                 .rows = tensor.shape[0],
                 .cols = tensor.shape[1],
                 .rows_per_palette = tensor.shape[0],
                 .codes = codes_of(values, tensor.shape[1], state, kTablePalette, DType::kF16),
                 .clusters = clusters,
                 .lut = state.centroids,
                 .row_scales = {}});
}

}  // namespace

std::size_t palette_tensors(const LinearPlan& plan) {
  const std::size_t each = plan.palette.scale == PaletteScale::kNone ? 2 : 3;
  return plan.palette.any() ? each * matrices_of(plan).size() : 0;
}

std::vector<LinearPlan> without_palettes(std::vector<LinearPlan> plans) {
  for (LinearPlan& plan : plans) {
    plan.palette = {};
  }
  return plans;
}

Result<std::map<std::string, StoredValues>> stored_palettes(const SafetensorsFile& file,
                                                            const std::filesystem::path& folder,
                                                            const ModelFile& model,
                                                            const std::vector<LinearPlan>& plans) {
  std::map<std::string, StoredValues> all;
  for (const LinearPlan& plan : plans) {
    for (const std::string& name :
         plan.palette.any() ? matrices_of(plan) : std::vector<std::string>()) {
      const ModelTensor* tensor = model.find(name);
      CHECK(tensor != nullptr, "a checkpoint has the matrices of its slots");
      const std::int64_t rows = tensor->shape[0];
      auto state = read_state(file, folder, name, plan.palette, rows);
      if (!state) {
        return state.error();
      }
      if (std::any_of(state->tau.begin(), state->tau.end(), [](float tau) { return tau <= 0; })) {
        continue;
      }
      const bool own = tensor->stored.type == StoredType::kBf16 && state->scales.empty();
      const std::vector<float> values = model.floats(name);
      all[name] = stored({.bits = static_cast<int>(std::bit_width(
                              static_cast<std::uint64_t>(plan.palette.clusters - 1))),
                          .dim = static_cast<int>(plan.palette.dim),
                          .rows = rows,
                          .cols = tensor->shape[1],
                          .rows_per_palette = rows / groups_of(plan.palette, rows),
                          .codes = codes_of(values, tensor->shape[1], *state, plan.palette,
                                            own ? DType::kBf16 : plan.palette.codes),
                          .clusters = plan.palette.clusters,
                          .lut = state->centroids,
                          .row_scales = state->scales});
    }
  }
  const bool tables = std::any_of(plans.begin(), plans.end(),
                                  [](const LinearPlan& plan) { return plan.palette.tables; });
  for (const ModelTensor& tensor : model.tensors()) {
    if (!tables || !is_stored_table(tensor.name)) {
      continue;
    }
    auto table = stored_table(model, tensor);
    if (!table) {
      return table.error();
    }
    all[tensor.name] = std::move(*table);
  }
  return all;
}

}  // namespace lathe
