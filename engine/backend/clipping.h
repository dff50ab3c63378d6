// What adamw_step makes of the gradients' norm, for back ends in host memory;
// device/adamw_rule.cuh is its twin.
#pragma once

#include <cmath>
#include <optional>

#include "engine/ops/optimizer_args.h"

namespace lathe {

// The factor of the gradients; nothing, and *refused = 1, where the step is not to be taken.
inline std::optional<double> accepted_scale(const AdamwStepArgs& args) {
  const double squares = *args.squares.f64();
  const bool finite =
      std::isfinite(squares) && (!args.loss.defined() || std::isfinite(*args.loss.f64()));
  if (!finite || *args.refused.f64() != 0.0) {
    *args.refused.f64() = 1.0;
    return std::nullopt;
  }
  const double norm = std::sqrt(squares);
  return args.clip_norm > 0.0 && norm > args.clip_norm ? args.clip_norm / norm : 1.0;
}

}  // namespace lathe
