// What a graph of plain operations keeps of soft k-means between forward and backward: the maps of
// N weights and K centroids that tables (engine/nn/palette.h) do without, in the ways of eDKM
// (arXiv 2309.00964, section 2) to keep less of them. Bytes in 16 bits, r iterations, U distinct
// values, L learners, K = 8, r = 1, of 4096 x 4096 weights:
//   naive       six maps and X twice: 2 N ((5 r + 1) K + 2 r)           1600 MiB
//   marshaled   what is equal once: 2 N (2 r K + 1)                       544
//   uniquified  rows of distinct values and indices: 2 r (2 N + 2 U K) + 2 N   97
//   over learners, which hold the same weights, the rows are shared out: 1 / L of each, U being
//   that of a share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/nn/linear_plan.h"
#include "engine/nn/parameter.h"
#include "engine/ops/palette_map_args.h"

namespace lathe {

// A tensor whose rows are shared out over learners, each of which keeps a contiguous part. Here one
// process stands for all of them, and the ledger tells their parts by their layer.
class SharedRows {
 public:
  // Of learner `number`: rows [first, first + count) of what `whole()` gives.
  void keep(Tensor part) { parts_.push_back(std::move(part)); }
  bool defined() const { return !parts_.empty(); }
  const Tensor& part(std::size_t learner) const { return parts_[learner]; }
  // All rows, in the order of the learners: an all-gather. Of one learner it is its own.
  TensorRef whole(Backend& backend, const std::string& layer, Tensor& room) const;

 private:
  std::vector<Tensor> parts_;
};

class PaletteMaps {
 public:
  PaletteMaps(Backend& backend, const std::string& layer, const PalettePlan& plan)
      : backend_(&backend), layer_(layer), plan_(plan) {}

  // The maps of one iteration, behind those kept before: plan.iterations of some weights, then
  // those of the next. `last`: the output is made of it.
  void keep(const CodedWeights& weights, const PaletteCentroids& centroids, bool last);
  // Takes the maps of iteration `number` of those kept, as palette_map_backward() does; `args` has
  // all but them.
  void backward(std::size_t number, PaletteMapBackwardArgs args);
  void forget() { kept_.clear(); }
  bool any() const { return !kept_.empty(); }

 private:
  struct Map {
    SharedRows values;
    SharedRows index;  // of distinct values
  };
  using Ranks = std::vector<std::int32_t>;  // [65536], -1 of codes that no weight has
  struct Iteration {
    Map distance, square, softmax, floor, update, output;  // those that are not kept twice: empty
    SharedRows x_distance, x_update;
    std::vector<Ranks> ranks;  // of distinct values, those of each learner's weights
  };
  // Which of the two maps, or the floored second one.
  enum class Kind { kDistance, kAttention, kFloored };

  bool distinct() const { return plan_.memory == PaletteMemory::kUniquified; }
  bool twice() const { return plan_.memory == PaletteMemory::kNaive; }
  CodedWeights part_of(const CodedWeights& weights, std::int64_t learner) const;
  std::string layer_of(std::int64_t learner) const;
  Tensor kept(std::int64_t learner, const char* name, Shape shape, DType dtype) const;
  Map map_of(const CodedWeights& weights, const PaletteCentroids& centroids, Kind kind,
             const std::vector<Ranks>& ranks);
  SharedRows codes_of(const CodedWeights& weights, const char* name) const;
  Ranks ranks_of(const CodedWeights& weights) const;
  // The numbers that have a rank, in that order, [U, 1].
  Tensor values_of(const Ranks& ranks, DType codes) const;

  Backend* backend_;
  std::string layer_;
  PalettePlan plan_;
  std::vector<Iteration> kept_;
};

// How many distinct values of 16 bits so many normal weights are expected to have.
std::int64_t expected_distinct(DType codes, std::int64_t weights, double stddev);

}  // namespace lathe
