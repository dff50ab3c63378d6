// The table of the cuda back end.
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

const OpTable& op_table() {
  static constexpr OpTable kTable{
      .add = LATHE_GPU::add,
      .bias_add = LATHE_GPU::bias_add,
      .copy = LATHE_GPU::copy,
      .fill = LATHE_GPU::fill,
      .matmul = LATHE_GPU::matmul,
      .random_fill = LATHE_GPU::random_fill,
      .scale = LATHE_GPU::scale,
      .sum_squares = LATHE_GPU::sum_squares,
  };
  return kTable;
}

}  // namespace lathe::LATHE_GPU
