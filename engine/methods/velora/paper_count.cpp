// The count of VeLoRA's tables.
#include "engine/methods/velora/paper_count.h"

#include <algorithm>

namespace lathe {

std::int64_t paper_input_bytes(const std::vector<LinearPlan>& slots, std::int64_t tokens) {
  const auto adapted = [](const LinearPlan& slot) { return slot.adapter.any(); };
  const bool adapters = std::any_of(slots.begin(), slots.end(), adapted);
  std::int64_t numbers = 0;
  for (const LinearPlan& slot : slots) {
    if (!adapters || adapted(slot)) {
      const bool cut = slot.subtokens.groups > 0;
      numbers += cut ? slot.subtokens.groups + slot.subtokens.output_groups
                     : slot.cut_width() + (slot.adapter.output_rank > 0 ? slot.out : 0);
    }
  }
  return 2 * numbers * tokens;
}

}  // namespace lathe
