// The arguments of the ops that inference adds: products with weights as files store them, alone
// and several together, attention over kept keys and values. The conventions are those of
// op_args.h.
#pragma once

#include <array>
#include <cstdint>

#include "engine/tensor/tensor.h"

namespace lathe {

// The product with a weight as it is stored: y = x W^T + beta y where transpose_w, the forward of a
// linear slot, else y = x W + beta y, the gradient of its input. w: [out, in] of f16, bf16 or a
// block type, read in that form. workspace: f32 of packed_matmul_workspace_elements(), undefined if
// 0.
struct PackedMatmulArgs {
  TensorRef x, w, y, workspace;
  bool transpose_w = true;
  float beta = 0.0f;
};

// Up to this many rows of x a forward product reads W once, row by row, without scratch; more rows
// are worth decoding panels of W for.
inline constexpr std::int64_t kPackedFewRows = 4;
// A panel: rows of W, and the columns of it that the gradient's product takes at a time.
inline constexpr std::int64_t kPanelRows = 64;
inline constexpr std::int64_t kPanelColumns = 256;
// Of them, those that are whole blocks.
constexpr std::int64_t panel_columns(DType dtype) {
  return kPanelColumns - kPanelColumns % dtype_layout(dtype).block_elements;
}

// Scratch for `rows` rows of x and `parallelism` threads (Backend::parallelism()).
std::int64_t packed_matmul_workspace_elements(const TensorRef& w, std::int64_t rows,
                                              bool transpose_w, std::int64_t parallelism);

// One product of a group: y = x W^T with W = `first`, or y = (x A^T) B^T of two factors, A =
// `first` and B = `second`, where `hidden` [rows, rank] takes x A^T. Of one matrix the other two
// are undefined.
struct PackedProduct {
  TensorRef first, second, hidden, y;
};

// Forward products of the same few rows x, at most kPackedFewRows, with stored weights that lie
// side by side in a model: q, k and v of a decoded token, gate and up. One op because so little
// work is worth starting the threads for once, not for every matrix. The bits are those of
// packed_matmul.
struct PackedGroupArgs {
  TensorRef x;
  std::array<PackedProduct, 3> products = {};
  std::int64_t count = 0;  // of products
};

// Causal attention, as attention_forward computes it, of the newest T of S >= T positions of one
// sequence whose keys and values are kept: row t sees keys up to S - T + t, of these the last
// `window` where it is not 0. q, out: [T, heads*head_dim]; k, v: [S, kv_heads*head_dim]. Nothing is
// kept for a backward. workspace: f32 of attention_cached_workspace_elements().
struct AttentionCachedArgs {
  TensorRef q, k, v, out, workspace;
  std::int64_t heads = 1;
  std::int64_t kv_heads = 1;
  std::int64_t window = 0;
};
// For S keys and `parallelism` threads (Backend::parallelism()).
std::int64_t attention_cached_workspace_elements(std::int64_t keys, std::int64_t parallelism);
// The keys [first, end) that row t sees.
struct KeyRange {
  std::int64_t first = 0, end = 0;
};
KeyRange visible_keys(const AttentionCachedArgs& args, std::int64_t t);

}  // namespace lathe
