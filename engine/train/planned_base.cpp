// Matrices without a file.
#include "engine/train/planned_base.h"

#include <algorithm>

#include "engine/nn/transformer.h"
#include "engine/train/model_plan.h"

namespace lathe {
namespace {

void give_memory(Backend& backend, Transformer& transformer, DType matrices) {
  CHECK(!backend.computes(), "a planned base has no values");
  for (Parameter* parameter : transformer.parameters()) {
    if (!parameter->given) {
      continue;
    }
    const bool table = parameter->role == ParameterRole::kTable || parameter->layer == "head";
    give_weight(*parameter,
                Tensor(backend.allocator(), table ? DType::kF16 : matrices, parameter->shape,
                       Tag{Category::kWeights, parameter->layer, parameter->name}));
  }
}

// Columns of the first of a slot's matrices that are no whole blocks; 0 if all are.
std::int64_t odd_columns(const LinearPlan& slot, std::int64_t block) {
  if (slot.in % block != 0) {
    return slot.in;
  }
  return slot.storage == LinearStorage::kLowRank && slot.rank % block != 0 ? slot.rank : 0;
}

}  // namespace

std::shared_ptr<const GivenModel> planned_base(const TrainSpec& spec) {
  if (spec.train.frozen == FrozenStore::kFile) {
    return nullptr;
  }
  std::vector<LinearPlan> slots = dense_plan(spec.model);
  for (LinearPlan& slot : slots) {
    slot.given = true;
  }
  return std::make_shared<const GivenModel>(GivenModel{
      .config = spec.model,
      .slots = std::move(slots),
      .weights = [type = frozen_dtype(spec.train.frozen)](
                     Backend& to, Transformer& transformer) { give_memory(to, transformer, type); },
      .adapters = {},
      .int8_rows = spec.train.frozen == FrozenStore::kInt8Row});
}

void check_frozen(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                  std::vector<std::string>& errors) {
  if (spec.train.frozen == FrozenStore::kFile) {
    return;
  }
  const std::string what = "train.frozen=" + std::string(enum_name(spec.train.frozen));
  if (!spec.model.from.empty()) {
    errors.push_back(what + " is of a model that is not here, and model.from=" + spec.model.from +
                     " says how it stores its matrices: set train.frozen=file");
    return;
  }
  if (table_memory(spec, slots) != TableMemory::kGiven) {
    errors.push_back(what +
                     " is of matrices that adapters leave as they are: set method.lora.rank, "
                     "without train_rest, restart_every and init=pissa, or train.frozen=file");
    return;
  }
  const DTypeLayout layout = dtype_layout(frozen_dtype(spec.train.frozen));
  const auto odd = std::find_if(slots.begin(), slots.end(), [&](const LinearPlan& slot) {
    return odd_columns(slot, layout.block_elements) != 0;
  });
  if (odd != slots.end()) {
    errors.push_back(what + " keeps " + std::to_string(layout.block_elements) +
                     " neighbours of a row as a block, and " + odd->name + " has " +
                     std::to_string(odd_columns(*odd, layout.block_elements)) +
                     " columns: choose widths and ranks that are multiples, or f16");
  }
}

}  // namespace lathe
