// GaLore: the optimizer sees a matrix's gradient along a few directions, which are its leading
// singular vectors every so often (README.md: paper, equations).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/describe.h"
#include "engine/methods/method.h"

namespace lathe {

struct GaloreParams {
  std::int64_t rank = 0;
  double alpha = 0.25;
  std::int64_t update_every = 200;
  std::vector<std::string> targets = {"all"};
  std::vector<std::string> layers = {};
  bool per_layer = false;

  static constexpr auto fields() {
    using P = GaloreParams;
    return std::tuple{
        field("rank", &P::rank,
              {.lo = 0,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "directions r along which the optimizer sees a matrix's gradient; 0: all",
               .qualified = true}),
        field("alpha", &P::alpha,
              {.lo = 1e-6,
               .hi = 1e6,
               .log = true,
               .sweep = true,
               .help = "factor of what it makes of them: these matrices' rate is lr alpha",
               .qualified = true}),
        field("update_every", &P::update_every,
              {.lo = 1,
               .hi = 1e9,
               .log = true,
               .sweep = true,
               .unit = "steps",
               .help = "the directions are chosen anew so often, from the gradient of that step",
               .qualified = true}),
        field("targets", &P::targets,
              {.structural = true,
               .help = "slots whose gradients are projected: q, k, v, o, gate, up, down, or all",
               .qualified = true}),
        field("layers", &P::layers,
              {.structural = true,
               .help = "blocks in which they are, 0-3 or 7; all if none is named",
               .qualified = true}),
        field("per_layer", &P::per_layer,
              {.sweep = true,
               .structural = true,
               .help = "backward projects each gradient as soon as it has it, and keeps the "
                       "projected one alone; clipping and train/grad_norm are then of that",
               .qualified = true})};
  }
};
static_assert(complete<GaloreParams>());

// The registry's row.
Method galore_method();

}  // namespace lathe
