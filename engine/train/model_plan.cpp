// Slot plans and parameter counts.
#include "engine/train/model_plan.h"

#include <algorithm>

#include "engine/methods/method.h"
#include "engine/nn/transformer.h"

namespace lathe {
namespace {

// The first slot of which a method made something else; nullptr if there is none.
const LinearPlan* first_made(const std::vector<LinearPlan>& before,
                             const std::vector<LinearPlan>& slots) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].storage != before[i].storage || slots[i].rank != before[i].rank) {
      return &slots[i];
    }
  }
  return nullptr;
}

}  // namespace

Result<std::vector<LinearPlan>> plan_slots(const TrainSpec& spec,
                                           std::vector<std::string>& warnings) {
  std::vector<std::string> errors = config_errors(spec.model);
  if (spec.model.positions == PositionKind::kLearned && spec.train.seq_len > spec.model.context &&
      spec.model.context > 0) {
    errors.push_back("train.seq_len=" + std::to_string(spec.train.seq_len) +
                     " is longer than model.context=" + std::to_string(spec.model.context) +
                     ", the table of learned positions: lower the one or raise the other");
  }
  std::vector<LinearPlan> before, slots;
  if (errors.empty()) {
    before = spec.base_slots.empty() ? dense_plan(spec.model) : spec.base_slots;
    slots = before;
    for (const Method& method : methods()) {
      const auto chosen = spec.method.find(method.id);
      if (chosen != spec.method.end()) {
        method.plan(*chosen, spec.model, slots, errors, warnings);
      }
    }
  }
  for (LinearPlan& slot : slots) {
    slot.dtype = weight_dtype(spec.train.weights);
  }
  if (const LinearPlan* made = spec.model.from.empty() ? nullptr : first_made(before, slots)) {
    errors.push_back("model.from=" + spec.model.from + " brings the weight of " + made->name +
                     ", and a method makes something else of that slot: switch the method off, "
                     "leave model.from empty, or begin with what `lathe compress` made of it");
  }
  if (errors.empty()) {
    return slots;
  }
  std::string text;
  for (const std::string& error : errors) {
    text += (text.empty() ? "" : "\n") + error;
  }
  return Error{ErrorKind::kUsage, text, "change the config; lathe describe lists what is legal"};
}

std::int64_t count_parameters(const ModelConfig& model, const std::vector<LinearPlan>& slots) {
  std::int64_t count = model.vocab_size * model.dim * (model.tied ? 1 : 2);
  count += model.norm_params() * (2 * model.layers + 1);
  count += model.positions == PositionKind::kLearned ? model.context * model.dim : 0;
  for (const LinearPlan& slot : slots) {
    count += slot.params();
  }
  return count;
}

}  // namespace lathe
