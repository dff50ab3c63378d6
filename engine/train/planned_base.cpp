// Matrices without a file.
#include "engine/train/planned_base.h"

#include <algorithm>

#include "engine/train/model_plan.h"

namespace lathe {
namespace {

// Where bytes lie that nobody reads: a file's, or those of a model in memory, are not the engine's.
std::shared_ptr<const void> nowhere() {
  static const auto kByte = std::make_shared<const std::byte>();
  return kByte;
}

// Columns of the first of a slot's matrices that are no whole blocks; 0 if all are.
std::int64_t odd_columns(const LinearPlan& slot, std::int64_t block) {
  if (slot.in % block != 0) {
    return slot.in;
  }
  return slot.storage == LinearStorage::kLowRank && slot.rank % block != 0 ? slot.rank : 0;
}

}  // namespace

DType frozen_dtype(const TrainConfig& train) {
  switch (train.frozen) {
    case FrozenStore::kFile:
      break;
    case FrozenStore::kF16:
      return DType::kF16;
    case FrozenStore::kQ8_0:
      return DType::kQ8_0;
    case FrozenStore::kInt8Row:
      return DType::kInt8Row;
    case FrozenStore::kInt:
      return group_dtype(static_cast<int>(train.frozen_bits), static_cast<int>(train.frozen_group));
    case FrozenStore::kNf4:
      return DType::kNf4;
    case FrozenStore::kNf4Double:
      return DType::kNf4Double;
  }
  return DType::kF32;
}

void give_memory(Backend& backend, Transformer& transformer, DType matrices) {
  CHECK(!backend.computes(), "a planned base has no values");
  for (Parameter* parameter : transformer.parameters()) {
    if (!parameter->given) {
      continue;
    }
    const bool table = parameter->role == ParameterRole::kTable || parameter->layer == "head";
    const DType type = table ? kTableType : matrices;
    const Tag tag{Category::kWeights, parameter->layer, parameter->name};
    give_weight(*parameter, backend.reads_host_memory()
                                ? Tensor(backend.allocator(), type, parameter->shape, tag,
                                         nowhere().get(), nowhere())
                                : Tensor(backend.allocator(), type, parameter->shape, tag));
  }
}

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
      .weights = [type = frozen_dtype(spec.train)](
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
  if (table_memory(spec, slots) != TableMemory::kGiven) {
    errors.push_back(what +
                     " is of matrices that adapters leave as they are: set method.lora.rank, "
                     "without train_rest, restart_every and init=pissa, or train.frozen=file");
    return;
  }
  const DType type = frozen_dtype(spec.train);
  if (type == DType::kF32) {
    errors.push_back("train.frozen_group=" + std::to_string(spec.train.frozen_group) +
                     " is no group of levels: set it to 32, 64 or 128");
    return;
  }
  const DTypeLayout layout = dtype_layout(type);
  const auto odd = std::find_if(slots.begin(), slots.end(), [&](const LinearPlan& slot) {
    return odd_columns(slot, layout.block_elements) != 0;
  });
  if (odd != slots.end()) {
    errors.push_back(what + " keeps " + std::to_string(layout.block_elements) +
                     " neighbours of a row as a block, and " + odd->name + " has " +
                     std::to_string(odd_columns(*odd, layout.block_elements)) + " columns: " +
                     (spec.train.frozen == FrozenStore::kInt
                          ? "choose a train.frozen_group that divides them, "
                          : "choose ") +
                     "widths and ranks that are multiples, or f16");
  }
}

}  // namespace lathe
