// Which slots' outputs are scaled and shifted.
#include "engine/methods/ssf/ssf.h"

#include "engine/methods/described_method.h"
#include "engine/methods/slot_choice.h"

namespace lathe {
namespace {

void plan_ssf(const Json& canonical, const ModelConfig&, std::vector<LinearPlan>& slots,
              std::vector<std::string>& errors, std::vector<std::string>&) {
  const auto params = accepted_params<SsfParams>(canonical);
  if (!params.enabled) {
    return;
  }
  check_targets("method.ssf.targets", params.targets, "enabled=false", errors);
  bool any = false;
  for (LinearPlan& slot : slots) {
    if (!is_target(params.targets, slot) || !errors.empty()) {
      continue;
    }
    any = true;
    check_free("method.ssf", slot, errors);
    slot.adapter = {.scale_shift = true, .rest_trained = params.train_rest};
  }
  if (!any && errors.empty()) {
    errors.push_back(no_slot_here("method.ssf.targets"));
  }
}

}  // namespace

Method ssf_method() {
  return {.id = "ssf",
          .title = "SSF",
          .paper =
              "SSF (arXiv 2210.08823): y = gamma y0 + beta by elements, y0 = W x + b, W and b "
              "frozen",
          .append_params = append_method_params<SsfParams>,
          .normalise = normalise_params<SsfParams>,
          .plan = plan_ssf};
}

}  // namespace lathe
