// Which slots get an adapter, and what it is.
#include "engine/methods/lora/lora.h"

#include <algorithm>

#include "engine/methods/described_method.h"
#include "engine/methods/slot_choice.h"

namespace lathe {
namespace {

// What PiSSA and restarts ask of the weight beside the adapter.
void check_weight(const LoraParams& params, const LinearPlan& slot,
                  std::vector<std::string>& errors) {
  const std::string what = params.init == AdapterInit::kPissa ? "method.lora.init=pissa"
                           : params.restart_every > 0         ? "method.lora.restart_every"
                                                              : "";
  if (!what.empty() && slot.storage != LinearStorage::kDense) {
    errors.push_back(what + " changes the weight of " + slot.name +
                     ", which is two factors: give dense slots an adapter, or train the factors "
                     "themselves");
  }
  const std::int64_t smaller = std::min(slot.in, slot.out);
  if (params.rank > smaller) {
    errors.push_back("method.lora.rank=" + std::to_string(params.rank) + " is above " +
                     std::to_string(smaller) + ", the smaller side of " + slot.name +
                     ": choose a lower rank");
  }
}

void plan_lora(const Json& canonical, const ModelConfig& model, std::vector<LinearPlan>& slots,
               std::vector<std::string>& errors, std::vector<std::string>&) {
  const auto params = accepted_params<LoraParams>(canonical);
  if (params.rank == 0) {
    return;
  }
  check_targets("method.lora.targets", params.targets, "rank to 0", errors);
  if (params.init == AdapterInit::kLoftq && model.from.empty()) {
    errors.push_back(
        "method.lora.init=loftq begins with adapters that a model brings: name it as model.from, "
        "or choose init=default");
  }
  bool any = false;
  for (LinearPlan& slot : slots) {
    if (!is_target(params.targets, slot) || !errors.empty()) {
      continue;
    }
    any = true;
    check_free("method.lora", slot, errors);
    check_weight(params, slot, errors);
    slot.adapter = {.rank = params.rank,
                    .scale = params.alpha / static_cast<double>(params.rank),
                    .init = params.init,
                    .dropout = params.dropout,
                    .rest_trained = params.train_rest,
                    .restart_every = params.restart_every,
                    .restart_prune = params.restart_prune,
                    .restart_warmup = params.restart_warmup};
  }
  if (!any && errors.empty()) {
    errors.push_back(no_slot_here("method.lora.targets"));
  }
}

}  // namespace

Method lora_method() {
  return {.id = "lora",
          .title = "LoRA, ReLoRA",
          .paper =
              "LoRA (arXiv 2106.09685), PiSSA (2404.02948), ReLoRA (2307.05695): y = W x + "
              "(alpha / r) B A x, W frozen",
          .append_params = append_method_params<LoraParams>,
          .normalise = normalise_params<LoraParams>,
          .plan = plan_lora};
}

}  // namespace lathe
