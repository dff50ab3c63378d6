// VeLoRA: backward has one number for each sub-token of a slot's input (README.md: paper,
// equations).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/describe.h"
#include "engine/methods/method.h"
#include "engine/nn/linear_plan.h"

namespace lathe {

template <>
struct EnumNames<DirectionInit> {
  static constexpr std::array<std::string_view, 5> names{"first_batch", "every_batch", "ema",
                                                         "random", "svd"};
};

// How the gradient of the weight is made of what was kept.
enum class VeloraBackward : std::uint8_t { kFactored, kRebuilt };
template <>
struct EnumNames<VeloraBackward> {
  static constexpr std::array<std::string_view, 2> names{"factored", "rebuilt"};
};

// What the optimizer sees of that gradient.
enum class VeloraState : std::uint8_t { kFull, kFactored };
template <>
struct EnumNames<VeloraState> {
  static constexpr std::array<std::string_view, 2> names{"full", "factored"};
};

struct VeloraParams {
  std::int64_t groups = 0;
  std::int64_t sub_token_size = 0;
  std::vector<std::string> targets = {"v", "down"};
  std::vector<std::string> layers = {};
  double scale = 1;
  DirectionInit init = DirectionInit::kFirstBatch;
  double decay = 0.9;
  VeloraBackward backward = VeloraBackward::kFactored;
  VeloraState state = VeloraState::kFull;

  static constexpr auto fields() {
    using P = VeloraParams;
    return std::tuple{
        field("groups", &P::groups,
              {.lo = 0,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "sub-tokens g that a slot's input is cut into; 0, with sub_token_size 0: "
                       "inputs are kept whole",
               .qualified = true}),
        field("sub_token_size", &P::sub_token_size,
              {.lo = 0,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "instead of groups: neighbours m that share a number, in = g m"}),
        field("targets", &P::targets,
              {.structural = true,
               .help = "slots whose inputs are projected: q, k, v, o, gate, up, down, or all; "
                       "down:86 cuts that one into 86 groups",
               .qualified = true}),
        field("layers", &P::layers,
              {.structural = true,
               .help = "blocks in which they are, 0-3 or 7; all if none is named",
               .qualified = true}),
        field("scale", &P::scale,
              {.lo = 1e-6,
               .hi = 1e6,
               .log = true,
               .sweep = true,
               .help = "factor s of the gradient that is made of projections",
               .qualified = true}),
        field("init", &P::init,
              {.sweep = true,
               .help = "the direction v of all sub-tokens of a slot: the mean of the first batch, "
                       "fixed from then on; that of every_batch; ema, a running one; random; svd, "
                       "the leading singular vector of the first batch",
               .qualified = true}),
        field("decay", &P::decay,
              {.lo = 0,
               .hi = 0.9999,
               .sweep = true,
               .help = "of init=ema, the share of the direction before",
               .qualified = true}),
        field("backward", &P::backward,
              {.sweep = true,
               .structural = true,
               .help = "factored: the gradient is (dy^T z) v^T; rebuilt: the paper's, dy^T times "
                       "the input rebuilt, the same but for rounding",
               .qualified = true}),
        field(
            "state", &P::state,
            {.sweep = true,
             .structural = true,
             .help = "full: the optimizer sees the gradient; factored: dy^T z alone, with moments "
                     "of that size, to the same updates",
             .qualified = true})};
  }
  bool on() const { return groups > 0 || sub_token_size > 0; }
};
static_assert(complete<VeloraParams>());

// The registry's row.
Method velora_method();

}  // namespace lathe
