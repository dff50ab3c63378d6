// Rotary frequencies and their stretching, in portable functions, so that all back ends turn alike.
#include "engine/backend/rope_frequency.h"

#include "engine/base/portable_math.h"

namespace lathe {
namespace {

constexpr double kTwoPi = 6.28318530717958647692;

// Long waves are stretched, short ones kept; between, the two are mixed linearly in the number of
// turns that a wave makes in the first training's context.
double llama3_frequency(const RopeScaling& scaling, double frequency) {
  const double turns = scaling.original_context * frequency / kTwoPi;
  if (turns < scaling.low) {
    return frequency / scaling.factor;
  }
  if (turns > scaling.high) {
    return frequency;
  }
  const double kept = (turns - scaling.low) / (scaling.high - scaling.low);
  return (1.0 - kept) * frequency / scaling.factor + kept * frequency;
}

}  // namespace

double rope_frequency(const RopeArgs& args, std::int64_t pair, std::int64_t head_dim) {
  const double frequency =
      portable::pow(double(args.theta), -2.0 * double(pair) / double(head_dim));
  switch (args.scaling.kind) {
    case RopeScalingKind::kNone:
      return frequency;
    case RopeScalingKind::kLinear:
      return frequency / args.scaling.factor;
    case RopeScalingKind::kLlama3:
      return llama3_frequency(args.scaling, frequency);
  }
  return frequency;
}

}  // namespace lathe
