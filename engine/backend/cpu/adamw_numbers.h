// The numbers that all ranges of an AdamW step share.
#pragma once

#include "engine/backend/cpu/simd/kernels.h"
#include "engine/backend/update_rule.h"

namespace lathe::cpu {

// Without tensors or a decay; `args` as with_update_values() gives them, gradients times `scale`.
inline AdamwRange adamw_numbers(const AdamwStepArgs& args, double scale) {
  return {.weight = nullptr,
          .gradient = nullptr,
          .m = nullptr,
          .v = nullptr,
          .count = 0,
          .lr = args.lr,
          .beta1 = args.beta1,
          .beta2 = args.beta2,
          .eps = args.eps,
          .weight_decay = 0.0f,
          .grad_scale = static_cast<float>(scale),
          .correction1 = static_cast<float>(bias_correction(args.beta1, args.step)),
          .correction2 = static_cast<float>(bias_correction(args.beta2, args.step))};
}

}  // namespace lathe::cpu
