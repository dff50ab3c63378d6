// SSF: what frozen linear slots make is scaled and shifted, by elements (README.md: paper,
// equations).
#pragma once

#include <string>
#include <vector>

#include "engine/base/describe.h"
#include "engine/methods/method.h"

namespace lathe {

struct SsfParams {
  bool enabled = false;
  std::vector<std::string> targets = {"all"};
  bool train_rest = false;

  static constexpr auto fields() {
    using P = SsfParams;
    return std::tuple{
        field("enabled", &P::enabled,
              {.sweep = true,
               .structural = true,
               .help = "what slots make is scaled and shifted by trained vectors; slots are frozen",
               .qualified = true}),
        field("targets", &P::targets,
              {.structural = true,
               .help = "slots of which: q, k, v, o, gate, up, down, or all",
               .qualified = true}),
        field("train_rest", &P::train_rest,
              {.sweep = true,
               .structural = true,
               .help = "also train what is no such slot: embedding, norms, head, other slots",
               .qualified = true})};
  }
};
static_assert(complete<SsfParams>());

// The registry's row.
Method ssf_method();

}  // namespace lathe
