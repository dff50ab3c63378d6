// See update_rule.h.
#include "engine/backend/update_rule.h"

#include <cstring>

#include "engine/base/portable_math.h"

namespace lathe {

double bias_correction(float beta, std::int64_t step) {
  return 1.0 / (1.0 - portable::pow(static_cast<double>(beta), static_cast<double>(step)));
}

UpdateValues update_values(const AdamwStepArgs& args) {
  return {.lr = static_cast<double>(args.lr),
          .weight_decay = static_cast<double>(args.weight_decay),
          .clip_norm = args.clip_norm,
          .correction1 = bias_correction(args.beta1, args.step),
          .correction2 = bias_correction(args.beta2, args.step),
          .step = static_cast<double>(args.step)};
}

AdamwStepArgs with_update_values(AdamwStepArgs args) {
  if (args.values.defined()) {
    UpdateValues values{};
    std::memcpy(&values, args.values.f64(), sizeof values);
    args.lr = static_cast<float>(values.lr);
    args.weight_decay = static_cast<float>(values.weight_decay);
    args.clip_norm = values.clip_norm;
    args.step = static_cast<std::int64_t>(values.step);
  }
  return args;
}

}  // namespace lathe
