// What a matmul has beside its product, by the back end's other ops: where no library does it on
// the way.
#pragma once

#include "engine/backend/backend.h"

namespace lathe {

inline void apply_epilogue(Backend& backend, const MatmulArgs& args) {
  const OpTable& table = backend.table();
  if (args.bias.defined()) {
    table.bias_add(backend, {.x = args.c, .bias = args.bias});
  }
  if (args.a_sums.defined()) {
    if (args.beta == 0.0f) {
      table.fill(backend, {.out = args.a_sums, .value = 0.0f});
    }
    table.bias_backward(backend, {.dy = args.a, .dbias = args.a_sums});
  }
}

}  // namespace lathe
