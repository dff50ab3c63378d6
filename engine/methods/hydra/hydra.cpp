// Which slots get the two pairs, and what they are.
#include "engine/methods/hydra/hydra.h"

#include <algorithm>

#include "engine/methods/described_method.h"
#include "engine/methods/slot_choice.h"

namespace lathe {
namespace {

void check_rank(const char* key, std::int64_t rank, std::int64_t most, const LinearPlan& slot,
                std::vector<std::string>& errors) {
  if (rank > most) {
    errors.push_back("method.hydra." + std::string(key) + "=" + std::to_string(rank) +
                     " is above " + std::to_string(most) + ", the most that " + slot.name +
                     " has room for: choose a lower one");
  }
}

void plan_hydra(const Json& canonical, const ModelConfig&, std::vector<LinearPlan>& slots,
                std::vector<std::string>& errors, std::vector<std::string>&) {
  const auto params = accepted_params<HydraParams>(canonical);
  if (params.rank == 0) {
    return;
  }
  check_targets("method.hydra.targets", params.targets, "rank to 0", errors);
  bool any = false;
  for (LinearPlan& slot : slots) {
    if (!is_target(params.targets, slot) || !errors.empty()) {
      continue;
    }
    any = true;
    check_free("method.hydra", slot, errors);
    check_rank("rank", params.rank, std::min(slot.in, slot.out), slot, errors);
    check_rank("sequential_rank", params.sequential_rank, slot.out, slot, errors);
    slot.adapter = {.rank = params.rank,
                    .output_rank = params.sequential_rank,
                    .scale = params.scale,
                    .rest_trained = params.train_rest};
  }
  if (!any && errors.empty()) {
    errors.push_back(no_slot_here("method.hydra.targets"));
  }
}

}  // namespace

Method hydra_method() {
  return {.id = "hydra",
          .title = "Hydra",
          .paper =
              "Hydra (arXiv 2309.06922): y = y0 + s B A x + s B2 A2 y0, y0 = W x + b, W and b "
              "frozen",
          .append_params = append_method_params<HydraParams>,
          .normalise = normalise_params<HydraParams>,
          .plan = plan_hydra};
}

}  // namespace lathe
