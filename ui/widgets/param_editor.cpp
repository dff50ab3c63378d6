// One function per type of parameter; nothing here knows a parameter by name.
#include "ui/widgets/param_editor.h"

#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "experiments/run_spec.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

// Beyond this span a linear slider is useless and a number is typed instead.
constexpr double kWidestSlider = 1e7;

ImGuiSliderFlags slider_flags(const ParamInfo& param) {
  return ImGuiSliderFlags_AlwaysClamp | (param.log ? ImGuiSliderFlags_Logarithmic : 0);
}

void edit_int(SweepDraft& draft, const ParamInfo& param) {
  const Json json = draft.value(param.path);
  auto value = json.is_number() ? json.get<std::int64_t>() : std::int64_t{0};
  bool changed = false;
  if (param.hi - param.lo <= kWidestSlider || (param.log && std::isfinite(param.hi))) {
    const auto lo = static_cast<std::int64_t>(param.lo);
    const auto hi = static_cast<std::int64_t>(std::min(param.hi, 9e15));
    changed = ImGui::SliderScalar("##value", ImGuiDataType_S64, &value, &lo, &hi, "%lld",
                                  slider_flags(param));
  } else {
    changed = ImGui::InputScalar("##value", ImGuiDataType_S64, &value);
  }
  if (changed) {
    const double inside = std::clamp(static_cast<double>(value), param.lo, param.hi);
    draft.set(param.path, static_cast<std::int64_t>(inside));
  }
}

void edit_real(SweepDraft& draft, const ParamInfo& param) {
  const Json json = draft.value(param.path);
  double value = json.is_number() ? json.get<double>() : 0;
  bool changed = false;
  if (std::isfinite(param.lo) && std::isfinite(param.hi)) {
    changed = ImGui::SliderScalar("##value", ImGuiDataType_Double, &value, &param.lo, &param.hi,
                                  "%.4g", slider_flags(param));
  } else {
    changed = ImGui::InputDouble("##value", &value, 0, 0, "%.6g");
  }
  if (changed && std::isfinite(value)) {
    draft.set(param.path, std::clamp(value, param.lo, param.hi));
  }
}

void edit_choice(SweepDraft& draft, const ParamInfo& param) {
  const std::string value = draft.value_text(param.path);
  if (ImGui::BeginCombo("##value", value.c_str())) {
    for (const std::string& choice : param.choices) {
      if (ImGui::Selectable(choice.c_str(), choice == value)) {
        draft.set(param.path, choice);
      }
    }
    ImGui::EndCombo();
  }
}

void edit_text(SweepDraft& draft, const ParamInfo& param) {
  std::string text;
  if (param.type == ParamType::kTextList) {
    for (const Json& one : draft.value(param.path)) {
      text += text.empty() ? "" : ",";
      text += one.is_string() ? one.get<std::string>() : one.dump();
    }
  } else {
    text = draft.value_text(param.path);
  }
  if (ImGui::InputText("##value", &text)) {
    const Result<Json> value = ex::parse_param_value(param, text);
    if (value) {
      draft.set(param.path, *value);
    }
  }
}

void edit_value(SweepDraft& draft, const ParamInfo& param) {
  switch (param.type) {
    case ParamType::kBool: {
      const Json json = draft.value(param.path);
      bool value = json.is_boolean() && json.get<bool>();
      if (ImGui::Checkbox("##value", &value)) {
        draft.set(param.path, value);
      }
      return;
    }
    case ParamType::kInt:
      return edit_int(draft, param);
    case ParamType::kReal:
      return edit_real(draft, param);
    case ParamType::kEnum:
      return edit_choice(draft, param);
    case ParamType::kText:
    case ParamType::kTextList:
      return edit_text(draft, param);
  }
}

// A slider within the parameter's range where that is one, else a number to be typed. `beyond`: how
// far above the range it may go.
bool edit_bound(const ParamInfo& param, const char* label, double& value, double beyond) {
  const char* format = param.type == ParamType::kInt ? "%.0f" : "%.4g";
  const double highest = param.hi + beyond;
  const bool narrow = param.log || param.hi - param.lo <= kWidestSlider;
  return std::isfinite(param.lo) && std::isfinite(highest) && narrow
             ? ImGui::SliderScalar(label, ImGuiDataType_Double, &value, &param.lo, &highest, format,
                                   slider_flags(param))
             : ImGui::InputDouble(label, &value, 0, 0, format);
}

bool edit_bounds(const ParamInfo& param, AxisDraft& axis, const char* lo, const char* hi,
                 float width) {
  // What a range stops at is no value of it.
  const bool range = axis.kind == ex::AxisKind::kRange;
  ImGui::SetNextItemWidth(width);
  bool changed = edit_bound(param, "##lo", axis.lo, 0);
  hint(lo);
  ImGui::SameLine();
  ImGui::SetNextItemWidth(width);
  changed |= edit_bound(param, "##hi", axis.hi, range && param.type == ParamType::kInt ? 1 : 0);
  hint(hi);
  return changed;
}

void edit_axis(PanelContext& context, const ParamInfo& param) {
  AxisDraft axis = *context.draft.find_axis(param.path);
  const bool numeric = param.type == ParamType::kInt || param.type == ParamType::kReal;
  bool changed = false;
  if (numeric) {
    int kind = static_cast<int>(axis.kind);
    ImGui::SetNextItemWidth(86 * context.scale);
    changed = ImGui::Combo("##kind", &kind, "list\0range\0log\0uniform\0");
    axis.kind = static_cast<ex::AxisKind>(kind);
    ImGui::SameLine();
  }
  const float room = ImGui::GetContentRegionAvail().x;
  const float third = (room - 2 * ImGui::GetStyle().ItemSpacing.x) / 3;
  switch (axis.kind) {
    case ex::AxisKind::kList:
      ImGui::SetNextItemWidth(-1);
      changed |= ImGui::InputText("##values", &axis.values);
      hint("The values to try, separated by commas");
      break;
    case ex::AxisKind::kRange:
      changed |= edit_bounds(param, axis, "first value", "stop: not reached", third);
      ImGui::SameLine();
      ImGui::SetNextItemWidth(third);
      changed |= ImGui::InputDouble("##step", &axis.step, 0, 0, "%.4g");
      hint("step");
      break;
    case ex::AxisKind::kLog:
      changed |= edit_bounds(param, axis, "lowest value", "highest value", third);
      ImGui::SameLine();
      ImGui::SetNextItemWidth(third);
      changed |= ImGui::InputScalar("##count", ImGuiDataType_S64, &axis.count);
      hint("how many values, evenly spaced in the logarithm");
      break;
    case ex::AxisKind::kUniform:
      changed |= edit_bounds(param, axis, "lowest value", "highest value",
                             (room - ImGui::GetStyle().ItemSpacing.x) / 2);
      break;
  }
  if (changed) {
    context.draft.set_axis(axis);
  }
}

std::string help_of(const ParamInfo& param) {
  std::string text = fmt::format("{}\n{}", param.path, param.help);
  if (!param.unit.empty()) {
    text += fmt::format("\nunit: {}", param.unit);
  }
  if (std::isfinite(param.lo) && std::isfinite(param.hi)) {
    text += fmt::format("\nfrom {:.6g} to {:.6g}", param.lo, param.hi);
  }
  text += fmt::format("\ndefault: {}", param.default_text.empty() ? "empty" : param.default_text);
  return text;
}

// The method that a path belongs to ("low_rank"), "" if none.
std::string method_of(const std::string& path) {
  constexpr std::string_view kPrefix = "method.";
  if (path.rfind(kPrefix, 0) != 0) {
    return "";
  }
  return path.substr(kPrefix.size(), path.find('.', kPrefix.size()) - kPrefix.size());
}

// Draws the group's heading; false if its parameters stay folded.
bool begin_group(PanelContext& context, const std::string& group) {
  const std::string method = method_of(group + ".");
  if (!method.empty()) {
    bool enabled = context.draft.has_method(method);
    if (ImGui::Checkbox(method.c_str(), &enabled)) {
      context.draft.set_method(method, enabled);
    }
    hint("Switches this method on or off");
    return enabled;
  }
  const bool open = group == "model" || group == "train" || group == "optim";
  ImGui::PushStyleColor(ImGuiCol_Header, ImGui::GetStyleColorVec4(ImGuiCol_TableHeaderBg));
  const bool unfolded =
      ImGui::CollapsingHeader(group.c_str(), open ? ImGuiTreeNodeFlags_DefaultOpen : 0);
  ImGui::PopStyleColor();
  return unfolded;
}

}  // namespace

void param_row(PanelContext& context, const ParamInfo& param, bool with_axes) {
  ImGui::TableNextRow();
  ImGui::PushID(param.path.c_str());
  ImGui::TableNextColumn();
  ImGui::AlignTextToFramePadding();
  const bool axis = with_axes && context.draft.is_axis(param.path);
  colored_text(axis ? context.theme.accent : context.theme.text, std::string(param.short_name()));
  hint(help_of(param));
  ImGui::TableNextColumn();
  if (with_axes && param.sweep) {
    ImGui::PushStyleColor(ImGuiCol_Text, axis ? context.theme.accent : context.theme.muted);
    if (quiet_button(std::string(icon::kSliders) + "###axis")) {
      context.draft.toggle_axis(param);
    }
    ImGui::PopStyleColor();
    hint(axis ? "Back to one value" : "Sweep this: try several values");
  }
  ImGui::TableNextColumn();
  ImGui::SetNextItemWidth(-1);
  if (axis && context.draft.is_axis(param.path)) {
    edit_axis(context, param);
  } else {
    edit_value(context.draft, param);
  }
  ImGui::PopID();
}

void param_form(PanelContext& context, bool with_axes) {
  const std::vector<ParamInfo>& params = ex::run_spec_params();
  // Methods first: they are what one came for.
  std::vector<std::string> groups;
  for (const ParamInfo& param : params) {
    const std::string group = param_group(param);
    if (!contains(groups, group)) {
      groups.push_back(group);
    }
  }
  std::stable_partition(groups.begin(), groups.end(),
                        [](const std::string& group) { return !method_of(group + ".").empty(); });
  for (const std::string& group : groups) {
    ImGui::PushID(group.c_str());
    if (begin_group(context, group) &&
        ImGui::BeginTable("params", 3, ImGuiTableFlags_SizingStretchProp)) {
      ImGui::TableSetupColumn("name", ImGuiTableColumnFlags_WidthFixed, 120 * context.scale);
      ImGui::TableSetupColumn("axis", ImGuiTableColumnFlags_WidthFixed,
                              (with_axes ? 30 : 1) * context.scale);
      ImGui::TableSetupColumn("value", ImGuiTableColumnFlags_WidthStretch);
      for (const ParamInfo& param : params) {
        if (param_group(param) == group && param.path != "name") {
          param_row(context, param, with_axes);
        }
      }
      ImGui::EndTable();
    }
    ImGui::PopID();
  }
}

}  // namespace lathe::ui
