// What of adamw_step changes while a run trains, as it lies in a tensor: for the host, which writes
// it, and for devices, which read it.
#pragma once

namespace lathe {

struct UpdateValues {
  double lr, weight_decay, clip_norm;
  double correction1, correction2;  // of the moments' bias, 1 / (1 - beta^step)
  double step;
};
// The first of the streams of random numbers that round weights: one a step, see rounding_stream().
inline constexpr unsigned long long kRoundingStreams = 1ull << 60;
inline constexpr int kUpdateValues = sizeof(UpdateValues) / sizeof(double);

}  // namespace lathe
