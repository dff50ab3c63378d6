// The arguments of the ops that keep soft k-means' maps in memory, as a graph of plain operations
// does: what tables (palette_args.h) are compared with. The maps of N weights and K centroids have
// a row for each weight, or one for each distinct value and an index.
#pragma once

#include "engine/ops/palette_args.h"

namespace lathe {

// out[i] = the code of weight i. out: of the type of the codes, as many as there are weights.
struct PaletteCodesArgs {
  CodedWeights weights;
  TensorRef out;
};

// distances[i, j] = |x_i - c_j|, x_i the number of a weight's code; attention[i, j] = p_ij, or with
// `floored` a_ij. Both [N, K] of f32 or bf16, either may be undefined. Centroids of one number.
struct PaletteMapArgs {
  CodedWeights weights;
  PaletteCentroids centroids;
  TensorRef distances = {}, attention = {};
  bool floored = false;
};

// A map as backward reads it: row i, or row ranks[code of weight i] where there is an index of
// codes [N]. ranks: i32 [65536].
struct PaletteMap {
  TensorRef values, index = {}, ranks = {};
};

// The gradient of an iteration by its maps, as PaletteBackwardArgs has it of listed points of one
// number. Each operation of the graph has a map of its own that it needs: those of the distance
// and of its square, of the softmax and of the floor, of the centroids' sums and of the output; and
// codes x [N] for the distances and the sums. What a graph keeps once is given several times.
//
// With `apply` dnext is made here: the sum of the output's a times g.
struct PaletteMapBackwardArgs {
  PaletteMap distance, square, softmax, floor, update, output;
  TensorRef x_distance, x_update;
  PaletteCentroids centroids;
  TensorRef next, mass, dnext;
  TensorRef g, dc, workspace;
  bool apply = false;
};

}  // namespace lathe
