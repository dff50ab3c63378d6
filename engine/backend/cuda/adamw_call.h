// The host's side of device/adamw_rule.cuh.
#pragma once

#include "engine/backend/cuda/device/adamw_rule.cuh"
#include "engine/backend/update_rule.h"

namespace lathe::LATHE_GPU {

inline AdamwRule rule_of(const AdamwStepArgs& args) {
  return {.keep1 = args.beta1,
          .add1 = static_cast<float>(1.0 - static_cast<double>(args.beta1)),
          .keep2 = args.beta2,
          .add2 = static_cast<float>(1.0 - static_cast<double>(args.beta2)),
          .correction1 = static_cast<float>(bias_correction(args.beta1, args.step)),
          .correction2 = static_cast<float>(bias_correction(args.beta2, args.step)),
          .lr = args.lr,
          .eps = args.eps,
          .decay = args.weight_decay,
          .clip_norm = args.clip_norm,
          .squares = args.squares.f64(),
          .loss = args.loss.defined() ? args.loss.f64() : nullptr,
          .refused = args.refused.f64(),
          .values = args.values.defined() ? reinterpret_cast<const UpdateValues*>(args.values.f64())
                                          : nullptr,
          .random = {args.seed, rounding_stream(args.step)}};
}

}  // namespace lathe::LATHE_GPU
