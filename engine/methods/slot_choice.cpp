// Names of slots.
#include "engine/methods/slot_choice.h"

#include <algorithm>

namespace lathe {

bool names_slots(std::string_view name) {
  return name == kAllSlots ||
         std::find(kSlotNames.begin(), kSlotNames.end(), name) != kSlotNames.end();
}

std::string no_such_slot(std::string_view key, std::string_view name) {
  std::string text(key);
  return text.append(" has \"").append(name).append(
      "\": choose among q, k, v, o, gate, up, down, or all");
}

}  // namespace lathe
