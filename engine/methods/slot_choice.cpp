// Names of slots and of blocks.
#include "engine/methods/slot_choice.h"

#include <algorithm>
#include <charconv>

namespace lathe {

bool names_slots(std::string_view name) {
  return name == kAllSlots ||
         std::find(kSlotNames.begin(), kSlotNames.end(), name) != kSlotNames.end();
}

bool is_target(const std::vector<std::string>& targets, const LinearPlan& slot) {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const std::string& target) { return names_slot(target, slot); });
}

void check_targets(std::string_view key, const std::vector<std::string>& targets,
                   std::string_view off, std::vector<std::string>& errors) {
  for (const std::string& target : targets) {
    if (!names_slots(target)) {
      errors.push_back(no_such_slot(key, target));
    }
  }
  if (targets.empty()) {
    errors.push_back(
        std::string(key).append(" names no slot: give q,v or all, or set ").append(off));
  }
}

void check_free(std::string_view method, const LinearPlan& slot, std::vector<std::string>& errors) {
  if (!slot.adapter.any()) {
    return;
  }
  const std::string other = slot.adapter.scale_shift       ? "method.ssf"
                            : slot.adapter.output_rank > 0 ? "method.hydra"
                                                           : "method.lora";
  errors.push_back(std::string(method)
                       .append(" and ")
                       .append(other)
                       .append(" both put something beside ")
                       .append(slot.name)
                       .append(": give them other targets, or switch one of them off"));
}

std::string no_slot_here(std::string_view key) {
  return std::string(key).append(
      " names no slot of this model: one without a gate has q, k, v, o, up and down");
}

std::string no_such_slot(std::string_view key, std::string_view name) {
  std::string text(key);
  return text.append(" has \"").append(name).append(
      "\": choose among q, k, v, o, gate, up, down, or all");
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size() && value >= 0;
  return whole ? std::optional(value) : std::nullopt;
}

std::optional<BlockChoice::Range> BlockChoice::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = whole_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : whole_number(text.substr(dash + 1));
  if (!first || !last || *last < *first) {
    return std::nullopt;
  }
  return Range{*first, *last};
}

BlockChoice::BlockChoice(std::string_view key, const std::vector<std::string>& texts,
                         const ModelConfig& model, std::vector<std::string>& errors) {
  for (const std::string& text : texts) {
    const auto range = parse(text);
    if (!range || range->last >= model.layers) {
      errors.push_back(std::string(key) + " has \"" + text + "\": blocks are 0 to " +
                       std::to_string(model.layers - 1) + ", one of them or a range as in 0-3");
    } else {
      ranges_.push_back(*range);
    }
  }
}

bool BlockChoice::has(const LinearPlan& slot) const {
  // "layers.3.attention.v"
  const std::string_view rest = std::string_view(slot.name).substr(slot.name.find('.') + 1);
  const std::int64_t block = whole_number(rest.substr(0, rest.find('.'))).value_or(0);
  return ranges_.empty() || std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& range) {
           return range.first <= block && block <= range.last;
         });
}

}  // namespace lathe
