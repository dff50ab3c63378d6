// The table of the cuda back end.
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

const OpTable& op_table() {
  static constexpr OpTable kTable{
      .activation_backward = LATHE_GPU::activation_backward,
      .activation_forward = LATHE_GPU::activation_forward,
      .adamw_step = LATHE_GPU::adamw_step,
      .add = LATHE_GPU::add,
      .attention_backward = LATHE_GPU::attention_backward,
      .attention_cached = LATHE_GPU::attention_cached,
      .attention_forward = LATHE_GPU::attention_forward,
      .bias_add = LATHE_GPU::bias_add,
      .bias_backward = LATHE_GPU::bias_backward,
      .copy = LATHE_GPU::copy,
      .cross_entropy = LATHE_GPU::cross_entropy,
      .embedding_backward = LATHE_GPU::embedding_backward,
      .embedding_forward = LATHE_GPU::embedding_forward,
      .fill = LATHE_GPU::fill,
      .layernorm_backward = LATHE_GPU::layernorm_backward,
      .layernorm_forward = LATHE_GPU::layernorm_forward,
      .matmul = LATHE_GPU::matmul,
      .packed_matmul = LATHE_GPU::packed_matmul,
      .random_fill = LATHE_GPU::random_fill,
      .rmsnorm_backward = LATHE_GPU::rmsnorm_backward,
      .rmsnorm_forward = LATHE_GPU::rmsnorm_forward,
      .rope = LATHE_GPU::rope,
      .scale = LATHE_GPU::scale,
      .sum_squares = LATHE_GPU::sum_squares,
      .swiglu_backward = LATHE_GPU::swiglu_backward,
      .swiglu_forward = LATHE_GPU::swiglu_forward,
  };
  return kTable;
}

}  // namespace lathe::LATHE_GPU
