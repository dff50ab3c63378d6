// Which slots' inputs are projected, and on how many sub-tokens.
#include "engine/methods/velora/velora.h"

#include <algorithm>
#include <map>
#include <optional>

#include "engine/methods/described_method.h"
#include "engine/methods/slot_choice.h"

namespace lathe {
namespace {

// A target, "down" or "down:86".
struct Target {
  std::string_view slot;
  std::int64_t groups = 0;  // 0: as the method has them
};

std::optional<Target> parse_target(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return Target{.slot = text};
  }
  const auto groups = whole_number(text.substr(colon + 1));
  if (!groups || *groups == 0) {
    return std::nullopt;
  }
  return Target{.slot = text.substr(0, colon), .groups = *groups};
}

// The numbers that divide `width`, which a person chooses from: all, or those nearest to `wanted`.
std::string divisors_near(std::int64_t width, std::int64_t wanted) {
  std::int64_t below = 1;
  std::int64_t above = width;
  for (std::int64_t d = 1; d <= width; ++d) {
    if (width % d == 0) {
      below = d < wanted ? d : below;
      if (d > wanted) {
        above = d;
        break;
      }
    }
  }
  return std::to_string(below) + " or " + std::to_string(above);
}

class Planner {
 public:
  Planner(const VeloraParams& params, const ModelConfig& model, std::vector<std::string>& errors)
      : params_(params),
        errors_(errors),
        blocks_("method.velora.layers", params.layers, model, errors) {
    if (params.groups > 0 && params.sub_token_size > 0) {
      errors.push_back("method.velora.groups=" + std::to_string(params.groups) +
                       " and sub_token_size=" + std::to_string(params.sub_token_size) +
                       " both cut inputs: set one of them to 0");
    }
    const bool moves =
        params.init == DirectionInit::kEveryBatch || params.init == DirectionInit::kEma;
    if (params.state == VeloraState::kFactored && moves) {
      errors.push_back(
          "method.velora.state=factored sums up gradients along one direction, and "
          "init=" +
          std::string(enum_name(params.init)) +
          " moves it from step to step: choose init=first_batch, random or svd, or "
          "state=full");
    }
    read_targets();
  }

  struct Groups {
    std::int64_t own = 0;     // 0: it is none of the targets
    std::int64_t output = 0;  // of what the slot makes, where Hydra's second pair reads it
  };
  Groups groups_of(const LinearPlan& slot) {
    if (!blocks_.has(slot)) {
      return {};
    }
    // The last that names it counts.
    const auto target = std::find_if(targets_.rbegin(), targets_.rend(),
                                     [&](const Target& at) { return names_slot(at.slot, slot); });
    if (target == targets_.rend()) {
      return {};
    }
    const bool by_size = target->groups == 0 && params_.groups == 0;
    const std::int64_t asked = target->groups > 0 ? target->groups
                               : by_size          ? params_.sub_token_size
                                                  : params_.groups;
    std::vector<std::int64_t> widths{slot.cut_width()};
    if (slot.adapter.output_rank > 0) {
      widths.push_back(slot.out);
    }
    for (const std::int64_t width : widths) {
      if (width % asked != 0) {
        refuse(slot, by_size ? "sub_token_size" : "groups", asked, width);
        return {};
      }
    }
    const auto groups_in = [&](std::int64_t width) { return by_size ? width / asked : asked; };
    return {.own = groups_in(widths.front()),
            .output = widths.size() > 1 ? groups_in(widths.back()) : 0};
  }

 private:
  void read_targets() {
    for (const std::string& text : params_.targets) {
      const auto target = parse_target(text);
      if (!target) {
        errors_.push_back("method.velora.targets has \"" + text +
                          "\": after the colon comes a number of groups, as in down:86");
      } else if (!names_slots(target->slot)) {
        errors_.push_back(no_such_slot("method.velora.targets", target->slot));
      } else {
        targets_.push_back(*target);
      }
    }
    if (params_.targets.empty()) {
      errors_.push_back(
          "method.velora.targets names no slot: give v,down or all, or set groups "
          "and sub_token_size to 0");
    }
  }

  // Once for the slots of a name.
  void refuse(const LinearPlan& slot, const char* what, std::int64_t asked, std::int64_t width) {
    if (refused_[std::string(slot_name(slot))]++ > 0) {
      return;
    }
    errors_.push_back(
        "method.velora." + std::string(what) + "=" + std::to_string(asked) +
        " does not divide the " + std::to_string(width) +
        (slot.adapter.scale_shift || width != slot.in ? " outputs of " : " inputs of ") +
        slot.name + " and of its kin in other blocks: choose " + divisors_near(width, asked) +
        ", or groups of its own, as in targets=" + std::string(slot_name(slot)) + ":G");
  }

  const VeloraParams& params_;
  std::vector<std::string>& errors_;
  BlockChoice blocks_;
  std::vector<Target> targets_;
  std::map<std::string, int> refused_;
};

void plan_velora(const Json& canonical, const ModelConfig& model, std::vector<LinearPlan>& slots,
                 std::vector<std::string>& errors, std::vector<std::string>&) {
  const auto params = accepted_params<VeloraParams>(canonical);
  if (!params.on()) {
    return;
  }
  const std::size_t before = errors.size();
  Planner planner(params, model, errors);
  const bool readable = errors.size() == before;
  bool any = false;
  for (LinearPlan& slot : slots) {
    const Planner::Groups groups = readable ? planner.groups_of(slot) : Planner::Groups{};
    if (groups.own > 0) {
      any = true;
      slot.subtokens = {.groups = groups.own,
                        .output_groups = groups.output,
                        .scale = params.scale,
                        .init = params.init,
                        .decay = params.decay,
                        .rebuilt = params.backward == VeloraBackward::kRebuilt,
                        .factored = params.state == VeloraState::kFactored};
    }
  }
  if (!any && errors.size() == before) {
    errors.push_back(no_slot_here("method.velora.targets"));
  }
}

}  // namespace

Method velora_method() {
  return {.id = "velora",
          .title = "VeLoRA",
          .paper =
              "VeLoRA (arXiv 2405.17991): backward has one number for each sub-token of an "
              "input, its product with a fixed direction",
          .append_params = append_method_params<VeloraParams>,
          .normalise = normalise_params<VeloraParams>,
          .plan = plan_velora};
}

}  // namespace lathe
