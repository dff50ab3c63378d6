// The arguments of the product in integers with an int8_row matrix (LLM.int8, arXiv 2208.07339,
// section 3). The conventions are those of op_args.h.
#pragma once

#include <cstdint>

#include "engine/ops/int8_rounding.h"
#include "engine/tensor/tensor.h"

namespace lathe {

// y = x W^T. x: f32 [N, in], w: int8_row [out, in], y: f32 [N, out]. Each row of x, without the
// columns in which any |x| reaches the threshold, is rounded to round(127 x / max|x|); those are
// multiplied with the codes of w in integers, exactly, and the sums with both rows' scales. The
// columns left out are multiplied in floats. Threshold 0: only those that hold what is not finite.
// workspace: f32 of int8_matmul_workspace_elements().
struct Int8MatmulArgs {
  TensorRef x, w, y, workspace;
  float threshold = 6.0f;
};

// Rows of x whose sums a thread holds at a time, rows of w, and columns multiplied in floats.
inline constexpr std::int64_t kInt8Rows = 256;
inline constexpr std::int64_t kInt8Panel = 64;

// Scratch for N rows of x and `parallelism` threads (Backend::parallelism()).
std::int64_t int8_matmul_workspace_elements(const TensorRef& w, std::int64_t rows,
                                            std::int64_t parallelism);

// What the workspace holds, in f32 elements: codes of x (int8 [N, in]), the scale of each row [N],
// an i32 [in] that tells of columns; then, for each thread, kInt8Panel sums and floats of each of
// at most kInt8Rows rows, and kInt8Panel^2 floats.
struct Int8Scratch {
  std::int64_t codes = 0, scales = 0, columns = 0, threads = 0;  // where each begins
  std::int64_t per_thread = 0;
  std::int64_t elements(std::int64_t parallelism) const {
    return threads + parallelism * per_thread;
  }
};
Int8Scratch int8_scratch(const TensorRef& w, std::int64_t rows);

}  // namespace lathe
