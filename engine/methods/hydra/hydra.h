// Hydra: two pairs of narrow factors beside a frozen linear slot, one that reads what the slot
// reads and one that reads what it makes (README.md: paper, equations).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/describe.h"
#include "engine/methods/method.h"

namespace lathe {

struct HydraParams {
  std::int64_t rank = 0;
  std::int64_t sequential_rank = 4;
  double scale = 1;
  std::vector<std::string> targets = {"q", "v"};
  bool train_rest = false;

  static constexpr auto fields() {
    using P = HydraParams;
    return std::tuple{
        field("rank", &P::rank,
              {.lo = 0,
               .hi = 16384,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "width of the pair that reads a slot's input; 0: neither pair",
               .qualified = true}),
        field("sequential_rank", &P::sequential_rank,
              {.lo = 1,
               .hi = 16384,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "width of the pair that reads what the slot makes"}),
        field("scale", &P::scale,
              {.lo = 1e-4,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "both pairs count so many times",
               .qualified = true}),
        field("targets", &P::targets,
              {.structural = true,
               .help = "slots that get them: q, k, v, o, gate, up, down, or all",
               .qualified = true}),
        field("train_rest", &P::train_rest,
              {.sweep = true,
               .structural = true,
               .help = "also train what has none: embedding, norms, head, other slots",
               .qualified = true})};
  }
};
static_assert(complete<HydraParams>());

// The registry's row.
Method hydra_method();

}  // namespace lathe
