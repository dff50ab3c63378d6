// Chooses the op by the type of the weight.
#include "engine/nn/weight_product.h"

#include "engine/nn/parameter.h"

namespace lathe {
namespace {

void packed_product(Backend& backend, const std::string& layer, PackedMatmulArgs args) {
  const std::int64_t elements = packed_matmul_workspace_elements(
      args.w, args.x.rows(), args.transpose_w, backend.parallelism());
  Tensor panels;
  if (elements > 0) {
    panels = workspace(backend, layer, "panels", Shape{elements});
    args.workspace = panels;
  }
  ops::packed_matmul(backend, args);
}

void integer_product(Backend& backend, const std::string& layer, Int8MatmulArgs args) {
  const Tensor scratch = workspace(
      backend, layer, "int8",
      Shape{int8_matmul_workspace_elements(args.w, args.x.rows(), backend.parallelism())});
  args.workspace = scratch;
  ops::int8_matmul(backend, args);
}

}  // namespace

void multiply_forward(Backend& backend, const std::string& layer, TensorRef x, TensorRef w,
                      TensorRef y, TensorRef bias, std::optional<double> int8_threshold) {
  if (!is_packed(w.dtype)) {
    ops::matmul(backend, {.a = x, .b = w, .c = y, .transpose_b = true, .bias = bias});
    return;
  }
  if (int8_threshold && w.dtype == DType::kInt8Row) {
    integer_product(backend, layer,
                    {.x = x,
                     .w = w,
                     .y = y,
                     .workspace = {},
                     .threshold = static_cast<float>(*int8_threshold)});
  } else {
    packed_product(backend, layer, {.x = x, .w = w, .y = y, .workspace = {}});
  }
  if (bias.defined()) {
    ops::bias_add(backend, {.x = y, .bias = bias});
  }
}

void multiply_backward(Backend& backend, const std::string& layer, TensorRef dy, TensorRef w,
                       TensorRef dx, float beta) {
  if (is_packed(w.dtype)) {
    packed_product(backend, layer,
                   {.x = dy, .w = w, .y = dx, .workspace = {}, .transpose_w = false, .beta = beta});
  } else {
    ops::matmul(backend, {.a = dy, .b = w, .c = dx, .beta = beta});
  }
}

}  // namespace lathe
