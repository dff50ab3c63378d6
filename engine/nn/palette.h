// A trained matrix that is read through a palette (DKM, Cho et al. 2022, arXiv 2108.12659; eDKM,
// arXiv 2309.00964): products see W~ = A c_r, where c_1 .. c_r are soft k-means' centroids of the
// weights, begun at those of the step before, and A is the attention that made c_r. The loss's
// gradient goes through all r iterations.
//
// What backward needs of that are W and the centroids. Of single weights everything else is a
// function of their 16 bits: it is made for at most 65,536 distinct values, when it is needed, and
// weights look it up (reference: closed form of one iteration in engine/methods/dkm/README.md). So
// a step keeps r K numbers, and nothing of the size of W but W~ while it is read. A plan may ask
// for the maps of a plain graph instead (PaletteMemory), to the same result.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/palette_maps.h"
#include "engine/nn/parameter.h"
#include "engine/ops/palette_args.h"

namespace lathe {

class Palette {
 public:
  // Takes the memory of the centroids of a matrix [out, in]. Preconditions: plan.dim divides `in`
  // and plan.rows `out`.
  Palette(Backend& backend, const std::string& layer, const std::string& leaf,
          const PalettePlan& plan, const Shape& weight);

  // Finds the first centroids, of the weight as it is. kData where it has fewer distinct values
  // than there are centroids, or one that is not finite; the palette has then not begun.
  Result<void> begin(const Parameter& weight);
  // Before it has, the matrix is read as it is.
  bool begun() const { return begun_; }
  // Whether the step after so many done is the first that reads the palette.
  bool begins_after(std::int64_t steps_done) const { return steps_done == plan_.begins_at; }

  // Whether weights() are W~, or each the nearest centroid in f16.
  void set_soft(bool soft) { soft_ = soft; }

  // f32 [out, in], of `weight` [out, in] of f32 or bf16.
  Tensor weights(TensorRef weight);

  // The end of a step's passes: the gradient, of W~ so far, becomes that of the weight, and the
  // centroids become those that W~ was made of.
  void finish(Parameter& weight);
  // The end of passes that change nothing.
  void forget();

  // What is to be kept with the weight, by the ends of their names: the centroids [groups K, d],
  // tau [groups], which is 0 before it has begun, and the scales of the rows [out], if there are.
  std::vector<std::pair<std::string, TensorRef>> state() const;
  // After they have been filled.
  void filled();

  const PalettePlan& plan() const { return plan_; }
  // The matrix `weight` [out, in] as numbers of 16 bits, as ops see it.
  CodedWeights coded(TensorRef weight) const { return coded(weight, scales_); }
  // Those that the next step begins with.
  PaletteCentroids centroids(std::int64_t group) const { return drawn_to(0, group); }
  std::int64_t stored_bytes() const;
  // "layers.3.mlp.down.weight.palette", to which state() adds ".centroids" and the like.
  const std::string& name() const { return name_; }
  std::int64_t groups() const { return out_ / rows_; }

 private:
  // A group of rows with one palette.
  struct Group {
    std::int64_t number = 0;
    TensorRef weight, scales;  // scales may be undefined
  };
  // Tensors that the ops on distinct values share, taken while they are needed.
  struct Tables;

  template <typename Body>
  void for_groups(TensorRef weight, const Body& body);
  Result<void> begin_group(std::int64_t number, std::span<float> weights);
  void scale_rows(std::span<float> weights);
  CodedWeights coded(TensorRef weight, TensorRef scales) const;
  // Those of iteration t: 0 are the centroids the step began with.
  TensorRef state(std::int64_t iteration, std::int64_t group) const;
  TensorRef mass(std::int64_t iteration, std::int64_t group) const;
  PaletteCentroids drawn_to(std::int64_t iteration, std::int64_t group) const;
  TensorRef rows_of(TensorRef x, std::int64_t group) const;
  // The group's weights as points: of a table by their counts, else listed, where `floats` holds
  // those of bf16.
  PalettePoints points(const Group& group, Tables& tables) const;
  bool keeps_maps() const { return plan_.memory != PaletteMemory::kTable; }
  void iterate(const Group& group, const PalettePoints& points, TensorRef workspace);
  void read_group(const Group& group, const PalettePoints& points, TensorRef out,
                  const Tables& tables);
  void finish_group(const Group& group, TensorRef gradient, Tables& tables);
  void backward(const Group& group, const PalettePoints& points, Tables& tables, TensorRef g);
  void backward_by_maps(const Group& group, Tables& tables, TensorRef g);

  Backend* backend_;
  std::string layer_, name_;
  PalettePlan plan_;
  std::int64_t out_, in_, rows_;
  DType codes_;
  Tensor centroids_, tau_, scales_;
  // Of a step, once its first pass has made them: c_1 .. c_r and the attention they were made of,
  // [r, groups, ...].
  Tensor states_, masses_;
  PaletteMaps maps_;  // of a plan that keeps them
  bool begun_ = false;
  bool soft_ = false;
};

// What a matrix takes on disk as such a palette: packed, or where rows are not whole blocks of
// packed ones, f32.
std::int64_t packed_palette_bytes(std::int64_t rows, std::int64_t cols, const PalettePlan& plan);

// Of embedding and head, where they are stored so (PalettePlan::tables): 8 bits.
inline constexpr PalettePlan kTablePalette{.clusters = 256};
inline bool is_stored_table(std::string_view parameter) {
  return parameter == "embedding.weight" || parameter == "head.weight";
}

}  // namespace lathe
