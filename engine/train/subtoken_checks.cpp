// Sub-tokens beside the rest of a spec.
#include "engine/train/subtoken_checks.h"

#include <algorithm>

#include "engine/nn/block.h"
#include "engine/train/model_plan.h"

namespace lathe {
namespace {

bool is_cut(const LinearPlan& slot) {
  return slot.subtokens.groups > 0;
}

// Whether a gradient is wanted that is made of the input; of SSF, of what the slot makes.
bool trains_input(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                  const LinearPlan& slot) {
  if (slot.adapter.any()) {
    return true;
  }
  const ParameterRole role =
      slot.storage == LinearStorage::kLowRank ? ParameterRole::kFactorA : ParameterRole::kOther;
  return !adapters_alone(slots) && is_trained(spec.train.parts, role);
}

// What of VeLoRA is of matrices alone.
void check_scale_shift(const TrainSpec& spec, const LinearPlan& slot,
                       std::vector<std::string>& errors) {
  if (slot.subtokens.factored) {
    errors.push_back("method.velora.state=factored sums up gradients of matrices, and of " +
                     slot.name + " method.ssf trains two vectors: set method.velora.state=full");
  } else if (spec.train.probe_every > 0) {
    errors.push_back("train.probe_every=" + std::to_string(spec.train.probe_every) +
                     " compares gradients of matrices, and of " + slot.name +
                     " method.ssf trains two vectors: set train.probe_every=0");
  }
}

void check_slot(const TrainSpec& spec, const std::vector<LinearPlan>& slots, const LinearPlan& slot,
                std::vector<std::string>& errors) {
  if (!trains_input(spec, slots, slot)) {
    errors.push_back("method.velora.targets has " + slot.name +
                     ", of which nothing that reads its input is trained, so that none is kept: "
                     "leave it out, or train it");
  } else if (slot.adapter.scale_shift) {
    check_scale_shift(spec, slot, errors);
  } else if (slot.subtokens.factored && slot.adapter.rank == 0 &&
             spec.train.weights != WeightStore::kF32) {
    errors.push_back("method.velora.state=factored moves weights in f32, and train.weights=" +
                     std::string(enum_name(spec.train.weights)) +
                     " keeps others: set train.weights=f32, or state=full");
  }
  const std::int64_t size = slot.cut_width() / slot.subtokens.groups;
  const std::int64_t seen = spec.train.batch_size * spec.train.seq_len * slot.subtokens.groups;
  if (slot.subtokens.init == DirectionInit::kSvd && seen < size) {
    errors.push_back("method.velora.init=svd looks for the direction of sub-tokens of " +
                     std::to_string(size) + " numbers, and the first batch has only " +
                     std::to_string(seen) + " of " + slot.name +
                     ": enlarge train.batch_size or method.velora.groups, or choose "
                     "init=first_batch");
  }
}

// Slots of a block that read one input: some of them cut, others in need of all of it.
void warn_of_shared(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                    std::vector<std::string>& warnings) {
  const std::int64_t per_block = spec.model.slots_per_block();
  for (const BlockValue input : {BlockValue::kAttention, BlockValue::kMlp}) {
    std::string cut, whole;
    for (std::int64_t i = 0; i < per_block; ++i) {
      const LinearPlan& slot = slots[static_cast<std::size_t>(i)];
      if (input_of_slot(spec.model, i) == input && !slot.adapter.scale_shift &&
          trains_input(spec, slots, slot)) {
        std::string& names = is_cut(slot) ? cut : whole;
        names.append(names.empty() ? "" : ", ").append(slot.name);
      }
    }
    if (!cut.empty() && !whole.empty()) {
      warnings.push_back("VeLoRA of " + cut + " frees nothing, as " + whole +
                         " keep the same input whole: project all of them, or none");
    }
  }
}

}  // namespace

void check_subtokens(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                     std::vector<std::string>& errors, std::vector<std::string>& warnings) {
  if (std::none_of(slots.begin(), slots.end(), is_cut)) {
    return;
  }
  const std::size_t before = errors.size();
  for (const LinearPlan& slot : slots) {
    if (is_cut(slot) && errors.size() == before) {
      check_slot(spec, slots, slot, errors);
    }
  }
  if (errors.size() > before) {
    return;
  }
  const auto reads_input = [](const LinearPlan& slot) {
    return is_cut(slot) && !slot.adapter.scale_shift;
  };
  if (std::none_of(slots.begin(), slots.end(), reads_input)) {
    return;  // SSF alone, for which what slots make is kept whatever is computed again
  }
  if (spec.train.recompute != Recompute::kNone) {
    warnings.push_back("train.recompute=" + std::string(enum_name(spec.train.recompute)) +
                       " keeps no input that VeLoRA could stand for: it saves time here, not "
                       "bytes; train.recompute=none is what the paper compares with");
  } else {
    warn_of_shared(spec, slots, warnings);
  }
  const std::int64_t out = 3;  // in the order of dense_plan()
  if (reads_input(slots[static_cast<std::size_t>(out)])) {
    warnings.push_back("VeLoRA of " + slots[static_cast<std::size_t>(out)].name +
                       " frees nothing: the backward pass of attention keeps the same input");
  }
}

}  // namespace lathe
