// Which slots' gradients are projected, and on how many directions.
#include "engine/methods/galore/galore.h"

#include <algorithm>

#include "engine/methods/described_method.h"
#include "engine/methods/slot_choice.h"

namespace lathe {
namespace {

void plan_galore(const Json& canonical, const ModelConfig& model, std::vector<LinearPlan>& slots,
                 std::vector<std::string>& errors, std::vector<std::string>&) {
  const auto params = accepted_params<GaloreParams>(canonical);
  if (params.rank == 0) {
    return;
  }
  const std::size_t before = errors.size();
  check_targets("method.galore.targets", params.targets, "rank to 0", errors);
  const BlockChoice blocks("method.galore.layers", params.layers, model, errors);
  bool any = false;
  for (LinearPlan& slot : slots) {
    if (!blocks.has(slot) || !is_target(params.targets, slot) || errors.size() > before) {
      continue;
    }
    any = true;
    const std::int64_t smaller = std::min(slot.in, slot.out);
    if (params.rank > smaller) {
      errors.push_back("method.galore.rank=" + std::to_string(params.rank) + " is above " +
                       std::to_string(smaller) + ", the smaller side of " + slot.name +
                       ": choose 1 to " + std::to_string(smaller) +
                       ", or leave the slot out of method.galore.targets");
    }
    slot.galore = {.rank = params.rank,
                   .scale = params.alpha,
                   .update_every = params.update_every,
                   .per_layer = params.per_layer};
  }
  if (!any && errors.size() == before) {
    errors.push_back(no_slot_here("method.galore.targets"));
  }
}

}  // namespace

Method galore_method() {
  return {.id = "galore",
          .title = "GaLore",
          .paper =
              "GaLore (arXiv 2403.03507): AdamW on gradients projected on their leading singular "
              "vectors of every T-th step",
          .append_params = append_method_params<GaloreParams>,
          .normalise = normalise_params<GaloreParams>,
          .plan = plan_galore};
}

}  // namespace lathe
