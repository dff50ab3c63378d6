// See palette_checks.h.
#include "engine/train/palette_checks.h"

#include <algorithm>

#include "engine/train/model_plan.h"

namespace lathe {
namespace {

// Why a slot's matrices cannot be read through palettes, with the remedy; empty if they can.
std::string obstacle(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                     const LinearPlan& slot) {
  if (slot.adapter.any()) {
    return "has an adapter, and its weight is not trained: name other slots, or switch the "
           "adapter's method off";
  }
  if (adapters_alone(slots)) {
    return "is frozen, as adapters alone are trained: set method.lora.train_rest=true, or name "
           "no slots";
  }
  if (spec.train.parts != TrainedParts::kAll) {
    return "is not trained as a whole under train.parts=" +
           std::string(enum_name(spec.train.parts)) + ": set train.parts=all";
  }
  if (spec.train.graph && slot.palette.memory == PaletteMemory::kUniquified) {
    return "counts its distinct values on the host under method.dkm.memory=uniquified, which a "
           "recorded step cannot: set train.graph=false, or another memory";
  }
  if (slot.galore.rank > 0) {
    return "has a gradient that method.galore projects: name other slots in one of the two";
  }
  if (slot.subtokens.factored) {
    return "has a factored gradient of VeLoRA's: set method.velora.state=full, or name other slots";
  }
  return "";
}

struct Extents {
  std::int64_t rows = 0, columns = 0;
};

std::vector<Extents> matrices(const LinearPlan& slot) {
  if (slot.storage == LinearStorage::kLowRank) {
    return {{slot.rank, slot.in}, {slot.out, slot.rank}};
  }
  return {{slot.out, slot.in}};
}

// That groups of columns and of rows divide a matrix of the slot.
void check_extents(const LinearPlan& slot, Extents extents, std::vector<std::string>& errors) {
  const PalettePlan& palette = slot.palette;
  if (extents.columns % palette.dim != 0) {
    errors.push_back("method.dkm.cluster_dim=" + std::to_string(palette.dim) +
                     " does not divide the " + std::to_string(extents.columns) + " columns of " +
                     slot.name + ": choose a divisor, or leave the slot out of method.dkm.targets");
  }
  if (palette.rows > 0 && extents.rows % palette.rows != 0) {
    errors.push_back("method.dkm.rows=" + std::to_string(palette.rows) + " does not divide the " +
                     std::to_string(extents.rows) + " rows of " + slot.name +
                     ": choose a divisor, 0 for one palette, or leave the slot out of "
                     "method.dkm.targets");
  }
  const std::int64_t together = palette.rows > 0 ? palette.rows : extents.rows;
  if (palette.learners > together) {
    errors.push_back("method.dkm.learners=" + std::to_string(palette.learners) + " is above the " +
                     std::to_string(together) + " rows that a palette of " + slot.name +
                     " has: choose fewer");
  }
}

// Whether packed palettes have room for it: rows are whole blocks of codes.
bool can_be_packed(const LinearPlan& slot) {
  const std::vector<Extents> all = matrices(slot);
  const DType type = palette_dtype(1, static_cast<int>(slot.palette.dim));
  return std::all_of(all.begin(), all.end(), [&](Extents extents) {
    return fits_type(type, extents.rows, extents.columns);
  });
}

}  // namespace

void check_palettes(const TrainSpec& spec, const std::vector<LinearPlan>& slots,
                    std::vector<std::string>& errors, std::vector<std::string>& warnings) {
  const LinearPlan* unstored = nullptr;
  for (const LinearPlan& slot : slots) {
    if (!slot.palette.any()) {
      continue;
    }
    if (const std::string why = obstacle(spec, slots, slot); !why.empty()) {
      errors.push_back("method.dkm.targets has " + slot.name + ", which " + why);
      return;  // the others are alike
    }
    for (const Extents extents : matrices(slot)) {
      check_extents(slot, extents, errors);
    }
    if (!errors.empty()) {
      return;
    }
    unstored = can_be_packed(slot) || unstored != nullptr ? unstored : &slot;
  }
  if (unstored != nullptr) {
    warnings.push_back("method.dkm: " + unstored->name + " has rows that are no multiple of " +
                       std::to_string(16 * unstored->palette.dim) +
                       " weights, which packed palettes store together: it can be trained, and "
                       "exported as floats, not packed");
  }
}

}  // namespace lathe
