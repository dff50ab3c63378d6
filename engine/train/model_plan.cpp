// Slot plans and parameter counts.
#include "engine/train/model_plan.h"

#include <algorithm>

#include "engine/methods/method.h"
#include "engine/train/data_checks.h"
#include "engine/train/galore_checks.h"
#include "engine/train/palette_checks.h"
#include "engine/train/planned_base.h"
#include "engine/train/subtoken_checks.h"

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

void check_positions(const ModelConfig& model, const std::string& whose, const TrainSpec& spec,
                     std::vector<std::string>& errors) {
  if (model.positions == PositionKind::kLearned && spec.train.seq_len > model.position_rows() &&
      model.position_rows() > 0) {
    errors.push_back("train.seq_len=" + std::to_string(spec.train.seq_len) + " is longer than " +
                     whose + "=" + std::to_string(model.context) +
                     ", the table of learned positions: lower the one or raise the other");
  }
}

void check_teacher(const TrainSpec& spec, std::vector<std::string>& errors) {
  if (spec.teacher == nullptr) {
    return;
  }
  const ModelConfig& teacher = spec.teacher->config;
  check_positions(teacher, "the context of distill.from", spec, errors);
  if (teacher.window != spec.model.window && spec.data.kind != DataKind::kText) {
    errors.push_back("distill.from=" + spec.distill.from +
                     " sees other windows of a text than the model, which packed samples cannot "
                     "give both: set data.kind=text, or leave distill.from empty");
  }
  if (teacher.vocab_size != spec.model.vocab_size) {
    errors.push_back(
        "distill.from=" + spec.distill.from + " has " + std::to_string(teacher.vocab_size) +
        " tokens and the model " + std::to_string(spec.model.vocab_size) +
        ": their logits cannot be compared; distil from a model of the same tokenizer, "
        "usually the dense one that was decomposed");
  }
}

// What an adapter asks of the rest of the spec.
void check_adapters(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                    std::vector<std::string>& errors) {
  const auto adapted = std::find_if(slots.begin(), slots.end(),
                                    [](const LinearPlan& slot) { return slot.adapter.any(); });
  if (adapted == slots.end()) {
    return;
  }
  if (spec.train.parts != TrainedParts::kAll) {
    const AdapterPlan& plan = adapted->adapter;
    errors.push_back("train.parts=" + std::string(enum_name(spec.train.parts)) + " and method." +
                     (plan.scale_shift       ? "ssf"
                      : plan.output_rank > 0 ? "hydra"
                                             : "lora") +
                     " both choose what is trained: set train.parts=all, or method." +
                     (plan.scale_shift       ? "ssf.enabled=false"
                      : plan.output_rank > 0 ? "hydra.rank=0"
                                             : "lora.rank=0"));
  }
  if (adapted->adapter.changes_weight() && spec.train.weights != WeightStore::kF32) {
    errors.push_back(
        "method.lora.init=pissa and restart_every add to weights that are not trained, "
        "and train.weights=" +
        std::string(enum_name(spec.train.weights)) + " would round that: set train.weights=f32");
  }
}

// Forward products in integers, of slots that stay as they are stored.
void plan_int8(const TrainSpec& spec, std::vector<LinearPlan>& slots,
               std::vector<std::string>& errors) {
  if (!spec.train.int8_products || slots.empty()) {
    return;
  }
  const std::string remedy = ": set train.int8_products=false, or ";
  if (spec.base == nullptr) {
    if (spec.model.from.empty()) {
      errors.push_back(
          "train.int8_products=true reads matrices of int8_row, and model.from is "
          "empty" +
          remedy + "begin with a model of quant.type=int8_row");
    }
    return;
  }
  if (!spec.base->int8_rows) {
    errors.push_back("train.int8_products=true reads matrices of int8_row, and " +
                     (spec.model.from.empty()
                          ? "train.frozen=" + std::string(enum_name(spec.train.frozen))
                          : "model.from=" + spec.model.from) +
                     " has none" + remedy + "round it by lathe compress quant.type=int8_row");
  } else if (table_memory(spec, slots) != TableMemory::kGiven) {
    errors.push_back(
        "train.int8_products=true reads matrices as they are stored, and this run "
        "trains them" +
        remedy +
        "set method.lora.rank, without train_rest, "
        "restart_every and init=pissa");
  }
  for (LinearPlan& slot : slots) {
    slot.int8_threshold = spec.train.int8_threshold;
  }
}

}  // namespace

bool is_trained(TrainedParts parts, ParameterRole role) {
  switch (parts) {
    case TrainedParts::kAll:
      return true;
    case TrainedParts::kFactors:
      return role == ParameterRole::kFactorA || role == ParameterRole::kFactorB;
    case TrainedParts::kFactorA:
      return role == ParameterRole::kFactorA;
    case TrainedParts::kFactorB:
      return role == ParameterRole::kFactorB;
  }
  return false;
}

bool has_new_head(const TrainSpec& spec) {
  return spec.base != nullptr && spec.model.images() &&
         spec.base->config.vocab_size != spec.model.vocab_size;
}

bool adapters_alone(const std::vector<LinearPlan>& slots) {
  return std::any_of(slots.begin(), slots.end(), [](const LinearPlan& slot) {
    return slot.adapter.any() && !slot.adapter.rest_trained;
  });
}

TableMemory table_memory(const TrainSpec& spec, const std::vector<LinearPlan>& slots) {
  const bool writes = std::any_of(slots.begin(), slots.end(), [](const LinearPlan& slot) {
    return slot.adapter.changes_weight();
  });
  return spec.base != nullptr && adapters_alone(slots) && !writes ? TableMemory::kGiven
                                                                  : TableMemory::kOwned;
}

Result<std::vector<LinearPlan>> plan_slots(const TrainSpec& spec,
                                           std::vector<std::string>& warnings) {
  std::vector<std::string> errors = config_errors(spec.model);
  check_images(spec, errors);
  check_positions(spec.model, "model.context", spec, errors);
  check_teacher(spec, errors);
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
  check_adapters(spec, slots, errors);
  if (!slots.empty()) {
    check_subtokens(spec, slots, errors, warnings);
    check_galore(spec, slots, errors);
    check_palettes(spec, slots, errors, warnings);
    check_frozen(spec, slots, errors);
  }
  if (table_memory(spec, slots) == TableMemory::kGiven) {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      slots[i].given = spec.base->slots[i].given;
    }
  }
  plan_int8(spec, slots, errors);
  if (errors.empty() && spec.train.parts != TrainedParts::kAll && !any_factored(slots)) {
    errors.push_back("train.parts=" + std::string(enum_name(spec.train.parts)) +
                     " trains nothing: no linear layer of the model is two factors. Set it to all, "
                     "begin with what `lathe compress` made, or choose method.low_rank.rank");
  }
  if (has_new_head(spec)) {
    warnings.push_back(
        "model.from=" + spec.model.from + " tells " + std::to_string(spec.base->config.vocab_size) +
        " classes apart, and model.image.classes=" + std::to_string(spec.model.vocab_size) +
        ": its head is left, and one of those is drawn from the seed");
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
  std::int64_t count = model.vocab_size * model.dim;  // the head, perhaps the embedding as well
  if (model.images()) {
    const std::int64_t class_token = model.image.pool == ImagePool::kClassToken ? model.dim : 0;
    count += (model.image.patch_values() + 1) * model.dim + class_token + model.vocab_size;
  } else if (!model.tied) {
    count += model.vocab_size * model.dim;
  }
  count += model.norm_params() * (2 * model.layers + 1);
  count += model.positions == PositionKind::kLearned ? model.position_rows() * model.dim : 0;
  for (const LinearPlan& slot : slots) {
    count += slot.params();
  }
  return count;
}

}  // namespace lathe
