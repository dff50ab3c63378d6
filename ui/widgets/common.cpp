// Shared pieces of the panels.
#include "ui/widgets/common.h"

#include <fmt/format.h>
#include <imgui_internal.h>

#include <algorithm>

#include "engine/base/format.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

StateLook look_of(const Theme& theme, RunState state) {
  switch (state) {
    case RunState::kQueued:
      return {icon::kCircleOpen, theme.muted};
    case RunState::kRunning:
      return {icon::kPlay, theme.accent};
    case RunState::kPaused:
      return {icon::kPause, theme.warning};
    case RunState::kDone:
      return {icon::kCheck, theme.good};
    case RunState::kFailed:
      return {icon::kWarning, theme.bad};
    case RunState::kStopped:
      return {icon::kStop, theme.muted};
    case RunState::kInterrupted:
      return {icon::kBolt, theme.warning};
    case RunState::kExcluded:
      return {icon::kBan, theme.muted};
  }
  return {icon::kCircle, theme.muted};
}

void colored_text(const ImVec4& color, const std::string& text) {
  ImGui::PushStyleColor(ImGuiCol_Text, color);
  ImGui::TextUnformatted(text.data(), text.data() + text.size());
  ImGui::PopStyleColor();
}

void muted_text(const Theme& theme, const std::string& text) {
  colored_text(theme.muted, text);
}

void wrapped_text(const ImVec4& color, const std::string& text) {
  ImGui::PushTextWrapPos(0.0f);
  colored_text(color, text);
  ImGui::PopTextWrapPos();
}

void hint(const std::string& text) {
  if (text.empty() || !ImGui::IsItemHovered(ImGuiHoveredFlags_ForTooltip)) {
    return;
  }
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(ImGui::GetFontSize() * 26.0f);
  ImGui::TextUnformatted(text.data(), text.data() + text.size());
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

ImVec4 with_alpha(ImVec4 color, float alpha) {
  color.w = alpha;
  return color;
}

bool primary_button(const Theme& theme, const std::string& label, ImVec2 size) {
  ImGui::PushStyleColor(ImGuiCol_Button, theme.accent);
  ImGui::PushStyleColor(ImGuiCol_ButtonHovered, with_alpha(theme.accent, 0.85f));
  ImGui::PushStyleColor(ImGuiCol_ButtonActive, with_alpha(theme.accent, 0.7f));
  ImGui::PushStyleColor(ImGuiCol_Text, theme.accent_text);
  const bool pressed = ImGui::Button(label.c_str(), size);
  ImGui::PopStyleColor(4);
  return pressed;
}

bool quiet_button(const std::string& label) {
  ImGui::PushStyleColor(ImGuiCol_Button, ImVec4(0, 0, 0, 0));
  ImGui::PushStyleVar(ImGuiStyleVar_FrameBorderSize, 0.0f);
  const bool pressed = ImGui::Button(label.c_str());
  ImGui::PopStyleVar();
  ImGui::PopStyleColor();
  return pressed;
}

void swatch(const ImVec4& color, float size) {
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float baseline = ImGui::GetCurrentWindow()->DC.CurrLineTextBaseOffset;
  const float top = at.y + baseline + (ImGui::GetTextLineHeight() - size) * 0.5f;
  ImGui::GetWindowDrawList()->AddRectFilled({at.x, top}, {at.x + size, top + size},
                                            ImGui::GetColorU32(color), size * 0.25f);
  ImGui::Dummy({size, ImGui::GetTextLineHeight() + baseline});
}

void state_badge(const Theme& theme, RunState state) {
  const StateLook look = look_of(theme, state);
  colored_text(look.color, look.icon);
  ImGui::SameLine(0, ImGui::GetStyle().ItemInnerSpacing.x);
  colored_text(look.color,
               std::string(experiments::kRunStateNames[static_cast<std::size_t>(state)]));
}

void error_card(const PanelContext& context, const std::string& what, const std::string& remedy) {
  ImGui::PushStyleColor(ImGuiCol_ChildBg, with_alpha(context.theme.bad, 0.12f));
  ImGui::PushStyleColor(ImGuiCol_Border, with_alpha(context.theme.bad, 0.55f));
  ImGui::BeginChild(ImGui::GetID(what.c_str()), {0, 0},
                    ImGuiChildFlags_AutoResizeY | ImGuiChildFlags_Borders |
                        ImGuiChildFlags_AlwaysUseWindowPadding);
  wrapped_text(context.theme.bad, std::string(icon::kWarning) + "  " + what);
  if (!remedy.empty()) {
    wrapped_text(context.theme.text, remedy);
  }
  ImGui::EndChild();
  ImGui::PopStyleColor(2);
}

namespace {

void centered(const std::string& text, const ImVec4& color, float scale) {
  ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * scale);
  const float room = ImGui::GetContentRegionAvail().x;
  const float wrap = std::min(room, ImGui::GetFontSize() * 30.0f);
  const ImVec2 size = ImGui::CalcTextSize(text.c_str(), nullptr, false, wrap);
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() + std::max(0.0f, (room - size.x) * 0.5f));
  ImGui::PushTextWrapPos(ImGui::GetCursorPosX() + wrap);
  colored_text(color, text);
  ImGui::PopTextWrapPos();
  ImGui::PopFont();
}

void move_to_middle(float height) {
  const float room = ImGui::GetContentRegionAvail().y;
  ImGui::SetCursorPosY(ImGui::GetCursorPosY() + std::max(0.0f, (room - height) * 0.42f));
}

}  // namespace

void empty_state(const PanelContext& context, const std::string& headline,
                 const std::string& what_to_do) {
  move_to_middle(ImGui::GetTextLineHeight() * 3.5f);
  centered(headline, context.theme.text, 1.15f);
  centered(what_to_do, context.theme.muted, 1.0f);
}

void no_model_state(PanelContext& context, const std::string& what_to_do) {
  empty_state(context, "No model is open", what_to_do);
  const float width = 150 * context.scale;
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() +
                       std::max(0.0f, (ImGui::GetContentRegionAvail().x - width) / 2));
  if (primary_button(context.theme, "Open a model###to_models", {width, 0})) {
    context.wishes.show_panel = "Models";
  }
}

void start_card(PanelContext& context) {
  const float line = ImGui::GetTextLineHeight();
  move_to_middle(line * 11);
  centered("Nothing here yet", context.theme.text, 1.6f);
  ImGui::Dummy({0, line * 0.2f});
  centered(
      "The sample sweep trains a small language model on the sources of the Python standard "
      "library, dense and at several ranks. It is a real run of the real engine.",
      context.theme.muted, 1.0f);
  ImGui::Dummy({0, line * 0.6f});
  const std::string label = std::string(icon::kPlay) + "  Run the sample sweep";
  const ImVec2 size{line * 15, line * 2.4f};
  const float room = ImGui::GetContentRegionAvail().x;
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() + std::max(0.0f, (room - size.x) * 0.5f));
  context.wishes.run_sample |= primary_button(context.theme, label + "###run_sample", size);
  ImGui::SetItemDefaultFocus();
  ImGui::Dummy({0, line * 0.1f});
  const std::string length =
      context.sample == nullptr
          ? std::string("measuring this machine")
          : fmt::format("{} points, about {} on this machine; press Enter", context.sample->points,
                        duration_text(context.sample->secs));
  centered(length, context.theme.muted, 1.0f);
  ImGui::Dummy({0, line * 0.4f});
  centered("or set up your own: 1 Setup, 3 Sweep", context.theme.muted, 0.95f);
}

void align_right(float width) {
  const float room = ImGui::GetContentRegionAvail().x;
  if (room > width) {
    ImGui::SetCursorPosX(ImGui::GetCursorPosX() + room - width);
  }
}

}  // namespace lathe::ui
