// How methods name the linear slots of a block (q, k, v, o, gate, up, down), and blocks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

// What gives the slot of a target something beside its weight: kUsage texts for names that are
// none, and for no name; `off`: what switches the method off.
void check_targets(std::string_view key, const std::vector<std::string>& targets,
                   std::string_view off, std::vector<std::string>& errors);
bool is_target(const std::vector<std::string>& targets, const LinearPlan& slot);
// That no other method has already.
void check_free(std::string_view method, const LinearPlan& slot, std::vector<std::string>& errors);

// "`key` has "x": choose among q, k, ...".
std::string no_such_slot(std::string_view key, std::string_view name);
// Of names that are slots of other models only.
std::string no_slot_here(std::string_view key);

// Of a text that is digits alone.
std::optional<std::int64_t> whole_number(std::string_view text);

// The blocks that a method is confined to: "3" and "0-5" of `texts`, the value of `key`; all where
// there are none.
class BlockChoice {
 public:
  // What names no block of the model is appended to errors.
  BlockChoice(std::string_view key, const std::vector<std::string>& texts, const ModelConfig& model,
              std::vector<std::string>& errors);
  bool has(const LinearPlan& slot) const;

 private:
  struct Range {
    std::int64_t first = 0, last = 0;
  };
  static std::optional<Range> parse(std::string_view text);

  std::vector<Range> ranges_;
};

}  // namespace lathe
