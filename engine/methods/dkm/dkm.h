// DKM: weights that training draws to the centroids of a palette, at the memory of eDKM's distinct
// values (README.md: papers, equations).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/describe.h"
#include "engine/methods/method.h"

namespace lathe {

enum class TemperatureUnit : std::uint8_t { kGap, kWeight };
template <>
struct EnumNames<TemperatureUnit> {
  static constexpr std::array<std::string_view, 2> names{"gap", "weight"};
};
template <>
struct EnumNames<PaletteInit> {
  static constexpr std::array<std::string_view, 2> names{"kmeans", "normal"};
};
template <>
struct EnumNames<PaletteScale> {
  static constexpr std::array<std::string_view, 3> names{"none", "largest", "range"};
};
enum class CodeType : std::uint8_t { kF16, kBf16 };
template <>
struct EnumNames<CodeType> {
  static constexpr std::array<std::string_view, 2> names{"f16", "bf16"};
};

template <>
struct EnumNames<PaletteMemory> {
  static constexpr std::array<std::string_view, 4> names{"table", "uniquified", "marshaled",
                                                         "naive"};
};
enum class MapType : std::uint8_t { kBf16, kF32 };
template <>
struct EnumNames<MapType> {
  static constexpr std::array<std::string_view, 2> names{"bf16", "f32"};
};

struct DkmParams {
  std::int64_t bits = 0;
  std::int64_t clusters = 0;
  std::int64_t cluster_dim = 1;
  std::int64_t rows = 0;
  std::vector<std::string> targets = {"all"};
  std::vector<std::string> layers = {};
  double temperature = 1.0;
  TemperatureUnit unit = TemperatureUnit::kGap;
  std::int64_t iterations = 1;
  double floor = 0;
  PaletteInit init = PaletteInit::kKmeans;
  PaletteScale row_scale = PaletteScale::kNone;
  CodeType compare_as = CodeType::kF16;
  std::int64_t begin_after = 0;
  PaletteMemory memory = PaletteMemory::kTable;
  MapType maps = MapType::kBf16;
  std::int64_t learners = 1;
  bool tables = false;

  static constexpr auto fields() {
    using P = DkmParams;
    return std::tuple{
        field("bits", &P::bits,
              {.lo = 0,
               .hi = 8,
               .sweep = true,
               .structural = true,
               .unit = "bits",
               .help = "of a code in the palette, which has 2^bits centroids; 0: as clusters says",
               .qualified = true}),
        field("clusters", &P::clusters,
              {.lo = 0,
               .hi = 256,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "centroids of a palette; 0: 2^bits, and with bits=0 no palettes",
               .qualified = true}),
        field("cluster_dim", &P::cluster_dim,
              {.lo = 1,
               .hi = 4,
               .sweep = true,
               .structural = true,
               .help = "neighbours of a row that share a code; divides the columns"}),
        field("rows", &P::rows,
              {.lo = 0,
               .hi = 1e6,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "rows that have a palette of their own; divides those of the matrix; 0: one "
                       "palette a matrix",
               .qualified = true}),
        field("targets", &P::targets,
              {.structural = true,
               .help = "slots that are read through palettes: q, k, v, o, gate, up, down, or all",
               .qualified = true}),
        field("layers", &P::layers,
              {.structural = true,
               .help = "blocks in which they are, 0-3 or 7; all if none is named",
               .qualified = true}),
        field("temperature", &P::temperature,
              {.lo = 1e-12,
               .hi = 1e6,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "tau: the lower, the harder weights are drawn to their nearest centroid",
               .qualified = true}),
        field("unit", &P::unit,
              {.sweep = true,
               .structural = true,
               .help = "what tau is a number of: gap, the squared mean distance between the first "
                       "centroids; weight, squared weights, as in the paper",
               .qualified = true}),
        field("iterations", &P::iterations,
              {.lo = 1,
               .hi = 20,
               .sweep = true,
               .structural = true,
               .help = "soft steps of k-means in each training step, which goes on from the "
                       "centroids of the one before",
               .qualified = true}),
        field("floor", &P::floor,
              {.lo = 0,
               .hi = 0.01,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "the least attention of a weight to a centroid; 1e-7 in coremltools",
               .qualified = true}),
        field("init", &P::init,
              {.sweep = true,
               .structural = true,
               .help = "the first centroids: kmeans, those of least squared error; normal, levels "
                       "of normally distributed weights",
               .qualified = true}),
        field("row_scale", &P::row_scale,
              {.sweep = true,
               .structural = true,
               .help = "what a row is divided by first, once and for all: nothing, its largest "
                       "size, or half its range"}),
        field("compare_as", &P::compare_as,
              {.sweep = true,
               .structural = true,
               .help = "16-bit type in which weights of f32 are told apart; bf16 weights are their "
                       "own"}),
        field("begin_after", &P::begin_after,
              {.lo = 0,
               .hi = 1e9,
               .log = true,
               .sweep = true,
               .structural = true,
               .unit = "steps",
               .help = "until then the weights are trained as they are"}),
        field("memory", &P::memory,
              {.sweep = true,
               .structural = true,
               .help = "what a step keeps of k-means: table, centroids alone; the maps of a plain "
                       "graph, all of them (naive), what is equal once (marshaled), or by distinct "
                       "values (uniquified)",
               .qualified = true}),
        field("maps", &P::maps,
              {.sweep = true,
               .structural = true,
               .help = "type of maps that are kept; f32 gives what table gives, bf16 rounds them",
               .qualified = true}),
        field("learners", &P::learners,
              {.lo = 1,
               .hi = 64,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "over how many learners their rows are shared out, all of them simulated in "
                       "this process"}),
        field("tables", &P::tables,
              {.sweep = true,
               .structural = true,
               .help = "embedding and head are exported as palettes of 8 bits, too; training and "
                       "evaluation read them as they are",
               .qualified = true})};
  }

  // K; 0: no palettes.
  std::int64_t centroids() const {
    return clusters > 0 ? clusters : bits > 0 ? std::int64_t{1} << bits : 0;
  }
};
static_assert(complete<DkmParams>());

// The registry's row.
Method dkm_method();

}  // namespace lathe
