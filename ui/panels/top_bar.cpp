// The menu, and the bar under it: start, pause, stop, what is going on, how long it will take and
// what watching it costs.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_internal.h>

#include <algorithm>

#include "engine/base/format.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

void draw_run_menu(PanelContext& context) {
  const bool busy = context.live.busy;
  if (ImGui::MenuItem("Run the sample sweep", "", false, !busy)) {
    context.wishes.run_sample = true;
  }
  if (ImGui::MenuItem(context.live.paused ? "Continue" : "Pause", "T", false, busy)) {
    context.wishes.toggle_pause(context.live.paused);
  }
  if (ImGui::MenuItem("Stop this run", "", false, busy)) {
    context.wishes.commands.emplace_back(ex::StopRun{});
  }
  if (ImGui::MenuItem("Stop all", "", false, busy)) {
    context.wishes.commands.emplace_back(ex::StopAll{});
  }
}

void draw_view_menu(PanelContext& context) {
  for (const Panel& panel : panels()) {
    if (ImGui::MenuItem(panel.title, panel.key)) {
      context.wishes.show_panel = panel.title;
    }
  }
  ImGui::Separator();
  const bool dark = context.state.theme == ThemeKind::kDark;
  if (ImGui::MenuItem(dark ? "Light theme" : "Dark theme")) {
    context.state.theme = dark ? ThemeKind::kLight : ThemeKind::kDark;
    context.wishes.restyle = true;
  }
  for (const auto& [title, key, factor] :
       {std::tuple{"Larger", "Ctrl+Plus", 1.1}, std::tuple{"Smaller", "Ctrl+Minus", 1 / 1.1},
        std::tuple{"Normal size", "Ctrl+0", 0.0}}) {
    if (ImGui::MenuItem(title, key)) {
      context.state.scale = factor > 0 ? std::clamp(context.state.scale * factor, 0.75, 3.0) : 1.0;
      context.wishes.restyle = true;
    }
  }
  ImGui::Separator();
  context.wishes.reset_layout |= ImGui::MenuItem("Reset layout");
}

void draw_menu(PanelContext& context) {
  if (!ImGui::BeginMainMenuBar()) {
    return;
  }
  if (ImGui::BeginMenu("File")) {
    context.wishes.close |= ImGui::MenuItem("Quit", "Ctrl+Q");
    ImGui::EndMenu();
  }
  if (ImGui::BeginMenu("Run")) {
    draw_run_menu(context);
    ImGui::EndMenu();
  }
  if (ImGui::BeginMenu("View")) {
    draw_view_menu(context);
    ImGui::EndMenu();
  }
  if (ImGui::MenuItem("Find an action", "Ctrl+K")) {
    context.view.palette_open = true;
  }
  ImGui::SameLine();
  const std::string text = fmt::format("{}     frame {:.1f} ms", context.machine, context.build_ms);
  align_right(ImGui::CalcTextSize(text.c_str()).x + 8 * context.scale);
  muted_text(context.theme, text);
  hint("Time to build one frame of this window, without drawing it");
  ImGui::EndMainMenuBar();
}

void draw_buttons(PanelContext& context) {
  const LiveState& live = context.live;
  if (!live.busy) {
    const std::string label = std::string(icon::kPlay) + "  Run the sample###top_sample";
    const bool first = context.rows.empty();
    context.wishes.run_sample |=
        first ? primary_button(context.theme, label) : ImGui::Button(label.c_str());
    hint(context.sample == nullptr
             ? "Measuring this machine, to choose the length"
             : fmt::format("{} points, about {} on this machine", context.sample->points,
                           duration_text(context.sample->secs)));
    return;
  }
  const std::string pause = live.paused ? std::string(icon::kPlay) + "  Continue###pause"
                                        : std::string(icon::kPause) + "  Pause###pause";
  if (ImGui::Button(pause.c_str())) {
    context.wishes.toggle_pause(live.paused);
  }
  hint("T. The step in progress is finished first.");
  ImGui::SameLine();
  if (ImGui::Button((std::string(icon::kStop) + "  Stop###stop").c_str())) {
    context.wishes.commands.emplace_back(ex::StopAll{});
  }
  hint("Stops after this step with a checkpoint; Resume goes on from it.");
}

// "3 of 5 done, 1 failed" of the sweep, or the run's name.
std::string sweep_line(const LiveState& live) {
  if (!live.sweep) {
    return "";
  }
  const LiveSweep& sweep = *live.sweep;
  const auto total = static_cast<std::int64_t>(sweep.points.size());
  std::string text = fmt::format("{}: {} of {} done", sweep.name, sweep.done, total);
  if (sweep.failed > 0) {
    text += fmt::format(", {} failed", sweep.failed);
  }
  if (sweep.finished && sweep.stopped) {
    text += ", stopped";
  }
  return text;
}

void draw_progress(PanelContext& context) {
  const LiveState& live = context.live;
  const RunRow* active = context.find_row(live.active);
  float share = live.preparing.empty() ? 0.0f : static_cast<float>(live.preparing_share);
  std::string text = live.preparing;
  if (text.empty() && active != nullptr) {
    share = static_cast<float>(active->progress());
    text = fmt::format("{}   step {} of {}", active->name, active->step, active->total_steps);
  }
  ImGui::SetNextItemWidth(300 * context.scale);
  const ImVec2 size{300 * context.scale, ImGui::GetFrameHeight()};
  ImGui::PushStyleColor(
      ImGuiCol_PlotHistogram,
      with_alpha(live.paused ? context.theme.warning : context.theme.accent, 0.45f));
  ImGui::ProgressBar(std::clamp(share, 0.0f, 1.0f), size, text.c_str());
  ImGui::PopStyleColor();
  std::string after = live.paused ? "paused" : "";
  if (!live.paused && live.eta_secs >= 0) {
    after = "about " + duration_text(live.eta_secs) + " left";
  }
  if (!after.empty()) {
    ImGui::SameLine();
    ImGui::TextUnformatted(after.c_str());
  }
}

void draw_gauges(PanelContext& context) {
  const LiveState& live = context.live;
  std::string text;
  if (live.busy && live.tokens_per_s > 0) {
    text += fmt::format("{:.0f} tokens/s     ", live.tokens_per_s);
  }
  if (live.observer_pct >= 0) {
    text += fmt::format("watching costs {:.2f} %     ", live.observer_pct);
  }
  const std::size_t problems = live.problems ? live.problems->size() : 0;
  if (problems > 0) {
    text += fmt::format("{} problem{}", problems, problems == 1 ? "" : "s");
  }
  ImGui::SameLine();
  align_right(ImGui::CalcTextSize(text.c_str()).x);
  colored_text(problems > 0 ? context.theme.warning : context.theme.muted, text);
}

}  // namespace

void draw_top_bar(PanelContext& context) {
  draw_menu(context);
  ImGuiViewport* viewport = ImGui::GetMainViewport();
  ImGui::PushStyleVar(ImGuiStyleVar_WindowPadding, ImVec2(10 * context.scale, 7 * context.scale));
  ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize, 0.0f);
  const float height = ImGui::GetFrameHeight() + 14 * context.scale;
  if (ImGui::BeginViewportSideBar("##bar", viewport, ImGuiDir_Up, height,
                                  ImGuiWindowFlags_NoScrollbar | ImGuiWindowFlags_NoSavedSettings |
                                      ImGuiWindowFlags_NoDocking)) {
    draw_buttons(context);
    ImGui::SameLine(0, 18 * context.scale);
    ImGui::AlignTextToFramePadding();
    if (context.live.busy) {
      draw_progress(context);
      ImGui::SameLine(0, 18 * context.scale);
    }
    ImGui::AlignTextToFramePadding();
    muted_text(context.theme, sweep_line(context.live));
    draw_gauges(context);
  }
  ImGui::End();
  ImGui::PopStyleVar(2);
}

}  // namespace lathe::ui
