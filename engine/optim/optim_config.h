// AdamW and the learning-rate schedule.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"

namespace lathe {

enum class ScheduleKind : std::uint8_t { kCosine, kLinear, kConstant };
template <>
struct EnumNames<ScheduleKind> {
  static constexpr std::array<std::string_view, 3> names{"cosine", "linear", "constant"};
};

// How moments are kept between steps.
enum class MomentStore : std::uint8_t { kF32, k8Bit };
template <>
struct EnumNames<MomentStore> {
  static constexpr std::array<std::string_view, 2> names{"f32", "8bit"};
};

struct OptimConfig {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;
  double clip_norm = 1.0;
  ScheduleKind schedule = ScheduleKind::kCosine;
  std::int64_t warmup_steps = 20;
  double min_lr_ratio = 0.1;
  MomentStore state = MomentStore::kF32;

  static constexpr auto fields() {
    using C = OptimConfig;
    return std::tuple{
        field("lr", &C::lr,
              {.lo = 0,
               .hi = 10,
               .log = true,
               .sweep = true,
               .live = true,
               .help = "peak learning rate"}),
        field("beta1", &C::beta1,
              {.lo = 0, .hi = 0.9999, .sweep = true, .help = "decay of the first moment"}),
        field("beta2", &C::beta2,
              {.lo = 0, .hi = 0.99999, .sweep = true, .help = "decay of the second moment"}),
        field(
            "eps", &C::eps,
            {.lo = 1e-16, .hi = 1, .log = true, .help = "added to the root of the second moment"}),
        field("weight_decay", &C::weight_decay,
              {.lo = 0,
               .hi = 10,
               .sweep = true,
               .live = true,
               .help = "decoupled decay of matrices; norm gains are left alone"}),
        field("clip_norm", &C::clip_norm,
              {.lo = 0,
               .hi = 1e6,
               .sweep = true,
               .live = true,
               .help = "gradients are scaled down to this global norm; 0 means no clipping"}),
        field("schedule", &C::schedule,
              {.sweep = true, .help = "shape of the learning rate after the warm-up"}),
        field("warmup_steps", &C::warmup_steps,
              {.lo = 0,
               .hi = 1e7,
               .sweep = true,
               .unit = "steps",
               .help = "the rate rises linearly over so many steps"}),
        field("min_lr_ratio", &C::min_lr_ratio,
              {.lo = 0, .hi = 1, .help = "share of lr at which cosine and linear end"}),
        field(
            "state", &C::state,
            {.sweep = true,
             .structural = true,
             .help = "how moments are kept: f32; 8bit, a code each and an f32 for 256 of them, of "
                     "tensors from 4096 elements on that are no embedding"})};
  }
};
static_assert(complete<OptimConfig>());

}  // namespace lathe
