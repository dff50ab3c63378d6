// The time strip: scrub through a recorded run. Its instant is the cursor of every plot; the
// inspector shows the values there.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_internal.h>

#include <algorithm>

#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace {

void tool(const char* glyph, const char* id, const char* help, bool enabled, bool& pressed) {
  ImGui::BeginDisabled(!enabled);
  pressed = quiet_button(std::string(glyph) + "###" + id);
  ImGui::EndDisabled();
  hint(help);
  ImGui::SameLine(0, 0);
}

void draw_buttons(PanelContext& context, bool enabled) {
  Scrubber& scrubber = context.scrubber;
  bool pressed = false;
  tool(icon::kFirst, "first", "First step (Home)", enabled, pressed);
  if (pressed) {
    scrubber.go_first();
  }
  tool(icon::kBack, "back", "One step back (Left)", enabled, pressed);
  if (pressed) {
    scrubber.move(-1);
  }
  tool(scrubber.playing() ? icon::kPause : icon::kPlay, "play", "Play the record (Space)", enabled,
       pressed);
  if (pressed) {
    scrubber.toggle_play();
  }
  tool(icon::kForward, "forward", "One step on (Right)", enabled, pressed);
  if (pressed) {
    scrubber.move(1);
  }
  tool(icon::kLast, "live", "To the end, following what is new (End)", enabled, pressed);
  if (pressed) {
    scrubber.go_live();
  }
}

ImVec4 flag_color(const Theme& theme, FlagKind kind) {
  switch (kind) {
    case FlagKind::kCheckpoint:
      return theme.good;
    case FlagKind::kChange:
      return theme.warning;
    case FlagKind::kEvaluation:
      return theme.accent;
    case FlagKind::kProblem:
      return theme.bad;
  }
  return theme.muted;
}

// Flags stand as ticks over the slider's groove.
void draw_flags(PanelContext& context, ImVec2 low, ImVec2 high) {
  const Scrubber& scrubber = context.scrubber;
  const double extent = scrubber.last() - scrubber.first();
  if (extent <= 0) {
    return;
  }
  const float grab = ImGui::GetStyle().GrabMinSize;
  for (const TimeFlag& flag : scrubber.flags()) {
    const auto share = static_cast<float>((flag.step - scrubber.first()) / extent);
    const float x = low.x + grab * 0.5f + 2 + share * (high.x - low.x - grab - 4);
    ImGui::GetWindowDrawList()->AddRectFilled(
        {x - context.scale, high.y - 5 * context.scale}, {x + context.scale, high.y},
        ImGui::GetColorU32(flag_color(context.theme, flag.kind)));
  }
}

void draw_slider(PanelContext& context, bool enabled) {
  Scrubber& scrubber = context.scrubber;
  const std::string text = enabled ? fmt::format("step {:.0f} of {:.0f}{}", scrubber.step(),
                                                 scrubber.last(), scrubber.live() ? "  (live)" : "")
                                   : std::string("no recorded steps");
  const float width =
      ImGui::GetContentRegionAvail().x - ImGui::CalcTextSize("step 0000000 of 0000000  (live)").x;
  ImGui::SetNextItemWidth(std::max(80 * context.scale, width));
  ImGui::BeginDisabled(!enabled);
  double step = scrubber.step();
  const double first = scrubber.first();
  const double last = std::max(scrubber.last(), first + 1);
  if (ImGui::SliderScalar("###scrub", ImGuiDataType_Double, &step, &first, &last, "")) {
    scrubber.seek(step);
  }
  draw_flags(context, ImGui::GetItemRectMin(), ImGui::GetItemRectMax());
  ImGui::EndDisabled();
  hint(
      "Drag to any step of the run in focus. Green: checkpoint, blue: evaluation, yellow: a knob "
      "was changed, red: a problem. Shift+Left/Right goes from flag to flag.");
  ImGui::SameLine();
  ImGui::AlignTextToFramePadding();
  muted_text(context.theme, text);
}

}  // namespace

void draw_time_strip(PanelContext& context) {
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(10 * context.scale, 5 * context.scale));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0.0f);
  const float height = ImGui::GetFrameHeight() + 10 * context.scale;
  if (ImGui::BeginViewportSideBar("##time", ImGui::GetMainViewport(), ImGuiDir_Down, height,
                                  ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_NoSavedSettings |
                                      ImGuiWindowFlags_NoDocking)) {
    const RunRow* row = context.find_row(context.state.focus);
    const bool enabled = row != nullptr && context.scrubber.last() > context.scrubber.first();
    draw_buttons(context, enabled);
    ImGui::SameLine(0, 10 * context.scale);
    if (row != nullptr) {
      swatch(context.run_color(row->id), 10 * context.scale);
      ImGui::SameLine();
      ImGui::AlignTextToFramePadding();
      ImGui::TextUnformatted(row->name.c_str());
      ImGui::SameLine();
    }
    draw_slider(context, enabled);
  }
  ImGui::End();
  ImGui::PopStyleVar(2);
}

}  // namespace lathe::ui
