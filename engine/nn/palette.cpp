// A step's ops on tables and on listed points.
#include "engine/nn/palette.h"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace lathe {
struct Palette::Tables {
  Tables(Backend& backend, const std::string& layer, const PalettePlan& plan)
      : sums(workspace(backend, layer, "palette_sums",
                       Shape{kPointShares, plan.clusters * (plan.dim + 1)}, DType::kF64)) {
    if (plan.dim == 1) {
      counts = workspace(backend, layer, "palette_counts", Shape{kPaletteCodes});
      table = workspace(backend, layer, "palette_table", Shape{kPaletteCodes});
    }
  }
  Tensor counts, table;  // of dim 1
  Tensor alpha, beta;    // of its backward
  Tensor sums;           // over points
  Tensor floats;         // of bf16 weights that are listed
};

Palette::Palette(Backend& backend, const std::string& layer, const std::string& leaf,
                 const PalettePlan& plan, const Shape& weight)
    : backend_(&backend),
      layer_(layer),
      name_(layer + "." + leaf + ".palette"),
      plan_(plan),
      out_(weight[0]),
      in_(weight[1]),
      rows_(plan.rows > 0 ? plan.rows : weight[0]),
      codes_(plan.codes),
      maps_(backend, layer, plan) {
  CHECK(in_ % plan.dim == 0 && out_ % rows_ == 0, "palettes divide their matrix");
  const auto quantizer = [&](const char* what, Shape shape) {
    Tensor made(backend.allocator(), DType::kF32, shape,
                Tag{Category::kQuantizer, layer, leaf + what});
    ops::fill(backend, {.out = made, .value = 0.0f});
    return made;
  };
  centroids_ = quantizer(".centroids", Shape{groups() * plan.clusters, plan.dim});
  tau_ = quantizer(".tau", Shape{groups(), 1});
  if (plan.scale != PaletteScale::kNone) {
    scales_ = quantizer(".scales", Shape{out_, 1});
  }
  begun_ = !backend.computes();  // a plan is of the steps that need most
}

std::int64_t Palette::stored_bytes() const {
  return packed_palette_bytes(out_, in_, plan_);
}

std::int64_t packed_palette_bytes(std::int64_t rows, std::int64_t cols, const PalettePlan& plan) {
  const auto bits = static_cast<int>(std::bit_width(static_cast<std::uint64_t>(plan.clusters - 1)));
  const DType type = palette_dtype(bits, static_cast<int>(plan.dim));
  const bool scaled = plan.scale != PaletteScale::kNone;
  return fits_type(type, rows, cols)
             ? matrix_bytes(
                   type, rows, cols,
                   palette_extra_bytes(type, rows, plan.rows > 0 ? plan.rows : rows, scaled))
             : size_bytes(DType::kF32, rows * cols);
}

std::vector<std::pair<std::string, TensorRef>> Palette::state() const {
  std::vector<std::pair<std::string, TensorRef>> list{{".centroids", centroids_}, {".tau", tau_}};
  if (scales_.defined()) {
    list.emplace_back(".scales", scales_);
  }
  return list;
}

void Palette::filled() {
  if (!backend_->computes()) {
    return;
  }
  std::vector<float> tau(static_cast<std::size_t>(groups()));
  backend_->read(tau_, tau.data(), tau_.ref().bytes());
  begun_ = std::all_of(tau.begin(), tau.end(), [](float value) { return value > 0.0f; });
}

TensorRef Palette::rows_of(TensorRef x, std::int64_t group) const {
  return x.row_range(group * rows_, rows_);
}

template <typename Body>
void Palette::for_groups(TensorRef weight, const Body& body) {
  for (std::int64_t number = 0; number < groups(); ++number) {
    body(Group{.number = number,
               .weight = rows_of(weight, number),
               .scales = scales_.defined() ? rows_of(scales_, number) : TensorRef{}});
  }
}

CodedWeights Palette::coded(TensorRef weight, TensorRef scales) const {
  const bool own = weight.dtype == DType::kBf16 && !scales.defined();
  return {.w = weight, .codes = own ? DType::kBf16 : codes_, .scales = scales};
}

TensorRef Palette::state(std::int64_t iteration, std::int64_t group) const {
  const TensorRef all = iteration == 0 ? centroids_.ref() : states_.ref();
  const std::int64_t before = iteration == 0 ? 0 : (iteration - 1) * groups();
  return all.row_range((before + group) * plan_.clusters, plan_.clusters);
}

TensorRef Palette::mass(std::int64_t iteration, std::int64_t group) const {
  const TensorRef row = masses_.ref().row_range((iteration - 1) * groups() + group, 1);
  return row.reshaped(Shape{plan_.clusters});
}

PaletteCentroids Palette::drawn_to(std::int64_t iteration, std::int64_t group) const {
  return {.c = state(iteration, group),
          .tau = tau_.ref().row_range(group, 1).reshaped(Shape{1}),
          .floor = static_cast<float>(plan_.floor)};
}

PalettePoints Palette::points(const Group& group, Tables& tables) const {
  if (plan_.dim > 1) {
    const Shape listed{group.weight.elements() / plan_.dim, plan_.dim};
    if (group.weight.dtype == DType::kF32) {
      return {.x = group.weight.reshaped(listed)};
    }
    if (!tables.floats.defined()) {
      tables.floats = workspace(*backend_, layer_, "palette_points", group.weight.shape);
    }
    ops::from_bf16(*backend_, {.bits = group.weight, .x = tables.floats});
    return {.x = tables.floats.ref().reshaped(listed)};
  }
  const CodedWeights weights = coded(group.weight, group.scales);
  const Tensor shares = workspace(*backend_, layer_, "palette_shares",
                                  Shape{kPaletteShares, kPaletteCodes}, DType::kI32);
  ops::palette_count(*backend_, {.weights = weights, .counts = tables.counts, .workspace = shares});
  return {.x = {}, .codes = weights.codes, .counts = tables.counts};
}

void Palette::iterate(const Group& group, const PalettePoints& points, TensorRef workspace) {
  for (std::int64_t t = 0; t < plan_.iterations; ++t) {
    ops::palette_iterate(*backend_, {.points = points,
                                     .centroids = drawn_to(t, group.number),
                                     .next = state(t + 1, group.number),
                                     .mass = mass(t + 1, group.number),
                                     .workspace = workspace});
    if (keeps_maps()) {
      maps_.keep(coded(group.weight, group.scales), drawn_to(t, group.number),
                 t + 1 == plan_.iterations);
    }
  }
}

void Palette::read_group(const Group& group, const PalettePoints& points, TensorRef out,
                         const Tables& tables) {
  const std::int64_t last = soft_ ? plan_.iterations : 0;
  const TensorRef listed = plan_.dim > 1
                               ? out.reshaped(Shape{out.elements() / plan_.dim, plan_.dim})
                               : tables.table.ref();
  ops::palette_apply(*backend_,
                     {.points = points,
                      .centroids = drawn_to(std::max<std::int64_t>(0, last - 1), group.number),
                      .values = state(last, group.number),
                      .out = listed,
                      .hard = !soft_});
  if (plan_.dim == 1) {
    ops::palette_lookup(
        *backend_,
        {.weights = coded(group.weight, group.scales), .table = tables.table, .out = out});
  }
}

Tensor Palette::weights(TensorRef weight) {
  Tables tables(*backend_, layer_, plan_);
  const bool fresh = soft_ && !states_.defined();
  if (fresh) {
    const std::int64_t all = plan_.iterations * groups();
    const auto step = [&](const char* what, Shape shape) {
      return Tensor(backend_->allocator(), DType::kF32, shape,
                    Tag{Category::kQuantizer, layer_, what});
    };
    states_ = step("palette_states", Shape{all * plan_.clusters, plan_.dim});
    masses_ = step("palette_masses", Shape{all, plan_.clusters});
  }
  Tensor read = workspace(*backend_, layer_, "palette_weight", Shape{out_, in_});
  for_groups(weight, [&](const Group& group) {
    const PalettePoints of = points(group, tables);
    if (fresh) {
      iterate(group, of, tables.sums);
    }
    read_group(group, of, rows_of(read, group.number), tables);
  });
  return read;
}

void Palette::backward(const Group& group, const PalettePoints& points, Tables& tables,
                       TensorRef g) {
  const std::int64_t last = plan_.iterations;
  const Shape shape{plan_.clusters, plan_.dim};
  Tensor slope = workspace(*backend_, layer_, "palette_dnext", shape);
  Tensor before = workspace(*backend_, layer_, "palette_dc", shape);
  ops::palette_pull(*backend_, {.points = points,
                                .centroids = drawn_to(last - 1, group.number),
                                .g = g,
                                .dvalues = slope,
                                .workspace = tables.sums});
  for (std::int64_t t = last; t > 0; --t) {
    ops::palette_backward(*backend_, {.points = points,
                                      .centroids = drawn_to(t - 1, group.number),
                                      .next = state(t, group.number),
                                      .mass = mass(t, group.number),
                                      .dnext = slope,
                                      .g = g,
                                      .alpha = tables.alpha,
                                      .beta = tables.beta,
                                      .dc = t > 1 ? before.ref() : TensorRef{},
                                      .workspace = tables.sums,
                                      .apply = t == last});
    std::swap(slope, before);
  }
}

void Palette::backward_by_maps(const Group& group, Tables& tables, TensorRef g) {
  const std::int64_t last = plan_.iterations;
  Tensor slope = workspace(*backend_, layer_, "palette_dnext", Shape{plan_.clusters, 1});
  Tensor before = workspace(*backend_, layer_, "palette_dc", Shape{plan_.clusters, 1});
  for (std::int64_t t = last; t > 0; --t) {
    PaletteMapBackwardArgs args;
    args.centroids = drawn_to(t - 1, group.number);
    args.next = state(t, group.number);
    args.mass = mass(t, group.number);
    args.dnext = slope;
    args.g = g;
    args.dc = t > 1 ? before.ref() : TensorRef{};
    args.workspace = tables.sums;
    args.apply = t == last;
    maps_.backward(static_cast<std::size_t>(group.number * last + t - 1), args);
    std::swap(slope, before);
  }
}

void Palette::finish_group(const Group& group, TensorRef gradient, Tables& tables) {
  if (keeps_maps()) {
    backward_by_maps(group, tables, gradient);
    return;
  }
  const PalettePoints of = points(group, tables);
  if (plan_.dim > 1) {
    backward(group, of, tables, gradient.reshaped(of.x.shape));
    return;
  }
  {
    const Tensor shares = workspace(*backend_, layer_, "palette_shares",
                                    Shape{kPaletteShares, kPaletteCodes}, DType::kF64);
    ops::palette_sums(*backend_, {.weights = coded(group.weight, group.scales),
                                  .g = gradient,
                                  .sums = tables.table,
                                  .workspace = shares});
  }
  backward(group, of, tables, tables.table);
  ops::palette_gradient(*backend_, {.weights = coded(group.weight, group.scales),
                                    .alpha = tables.alpha,
                                    .beta = tables.beta,
                                    .g = gradient});
}

void Palette::finish(Parameter& weight) {
  if (!states_.defined()) {
    return;
  }
  CHECK(weight.gradient.defined(), "a step's passes make a gradient");
  Tables tables(*backend_, layer_, plan_);
  if (plan_.dim == 1) {
    tables.alpha = workspace(*backend_, layer_, "palette_alpha", Shape{kPaletteCodes});
    tables.beta = workspace(*backend_, layer_, "palette_beta", Shape{kPaletteCodes});
  }
  for_groups(weight.weight, [&](const Group& group) {
    finish_group(group, rows_of(weight.gradient, group.number), tables);
  });
  const std::int64_t all = groups() * plan_.clusters;
  ops::copy(*backend_,
            {.from = states_.ref().row_range((plan_.iterations - 1) * all, all), .to = centroids_});
  forget();
}

void Palette::forget() {
  states_.reset();
  masses_.reset();
  maps_.forget();
}

}  // namespace lathe
