// How methods name the linear slots of a block: q, k, v, o, gate, up, down.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "engine/nn/linear_plan.h"

namespace lathe {

inline constexpr std::array<std::string_view, 7> kSlotNames{"q",    "k",  "v",   "o",
                                                            "gate", "up", "down"};
inline constexpr std::string_view kAllSlots = "all";

// "v" of "layers.3.attention.v".
inline std::string_view slot_name(const LinearPlan& slot) {
  return std::string_view(slot.name).substr(slot.name.rfind('.') + 1);
}

// One of kSlotNames, or kAllSlots.
bool names_slots(std::string_view name);

// Whether `name`, which names_slots(), is that of this slot or of all.
inline bool names_slot(std::string_view name, const LinearPlan& slot) {
  return name == kAllSlots || name == slot_name(slot);
}

// "`key` has "x": choose among q, k, ...".
std::string no_such_slot(std::string_view key, std::string_view name);

}  // namespace lathe
