// The log, and the problems: warnings and errors once each, with how often they came.
#include <fmt/format.h>
#include <imgui.h>

#include "engine/base/format.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace {

ImVec4 level_color(const Theme& theme, experiments::LogLevel level) {
  switch (level) {
    case experiments::LogLevel::kInfo:
      return theme.text;
    case experiments::LogLevel::kWarning:
      return theme.warning;
    case experiments::LogLevel::kError:
      return theme.bad;
  }
  return theme.text;
}

void draw_line(PanelContext& context, const LogEntry& entry) {
  const std::string time = time_text(entry.time_ms);
  muted_text(context.theme, time.size() > 11 ? time.substr(11) : time);
  if (!entry.run.empty()) {
    const RunRow* row = context.find_row(entry.run);
    ImGui::SameLine();
    colored_text(context.run_color(entry.run), row == nullptr ? entry.run : row->name);
  }
  ImGui::SameLine();
  colored_text(level_color(context.theme, entry.level), entry.text);
}

}  // namespace

void draw_log(PanelContext& context) {
  if (!context.live.log || context.live.log->empty()) {
    empty_state(context, "The log is empty", "What the engine says while it works stands here.");
    return;
  }
  const std::vector<LogEntry>& log = *context.live.log;
  ImGui::PushFont(context.fonts.mono, ImGui::GetStyle().FontSizeBase * 0.86f);
  ImGui::BeginChild("lines", {0, 0}, ImGuiChildFlags_None, ImGuiWindowFlags_HorizontalScrollbar);
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(log.size()));
  while (clipper.Step()) {
    for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
      draw_line(context, log[static_cast<std::size_t>(i)]);
    }
  }
  if (ImGui::GetScrollY() >= ImGui::GetScrollMaxY() - 1) {
    ImGui::SetScrollHereY(1.0f);
  }
  ImGui::EndChild();
  ImGui::PopFont();
}

void draw_problems(PanelContext& context) {
  if (!context.store.error.empty()) {
    error_card(context, "The store could not be read: " + context.store.error,
               "Training goes on; what it records is not lost by this.");
  }
  if (!context.store.edit_error.empty()) {
    error_card(context, "The change was not stored: " + context.store.edit_error, "");
  }
  if (!context.live.problems || context.live.problems->empty()) {
    if (context.store.error.empty() && context.store.edit_error.empty()) {
      empty_state(context, "No problems", "Warnings and errors appear here, once each.");
    }
    return;
  }
  for (const Problem& problem : *context.live.problems) {
    const RunRow* row = context.find_row(problem.entry.run);
    ImGui::PushID(&problem);
    colored_text(level_color(context.theme, problem.entry.level), icon::kWarning);
    ImGui::SameLine();
    if (row != nullptr) {
      if (ImGui::TextLink(row->name.c_str())) {
        context.state.focus = row->id;
        context.state.follow_newest = false;
      }
      ImGui::SameLine();
    }
    wrapped_text(context.theme.text,
                 problem.count > 1
                     ? fmt::format("{}  ({} times)", problem.entry.text, problem.count)
                     : problem.entry.text);
    ImGui::PopID();
  }
}

}  // namespace lathe::ui
