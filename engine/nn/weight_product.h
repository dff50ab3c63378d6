// Products with a weight in whatever type it is stored.
#pragma once

#include <optional>
#include <string>

#include "engine/backend/backend.h"

namespace lathe {

// y = x W^T, plus the bias [out] where one is given. x: [N, in], w: [out, in] of f32 or a packed
// type, y: [N, out]. `layer` names scratch in the ledger. With a threshold w of int8_row is
// multiplied in integers (Int8MatmulArgs).
void multiply_forward(Backend& backend, const std::string& layer, TensorRef x, TensorRef w,
                      TensorRef y, TensorRef bias = {}, std::optional<double> int8_threshold = {});

// dx = dy W + beta dx.
void multiply_backward(Backend& backend, const std::string& layer, TensorRef dy, TensorRef w,
                       TensorRef dx, float beta);

}  // namespace lathe
