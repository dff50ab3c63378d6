// Memory: one step of the run in focus, allocation by allocation; what is alive at its peak, as a
// list and as areas; and how the peak compares with the plan and with another run's.
#include <fmt/format.h>
#include <imgui.h>

#include "engine/base/format.h"
#include "ui/panels/memory_parts.h"
#include "ui/widgets/common.h"

namespace lathe::ui {

namespace {

void draw_header(PanelContext& context, const RunRecord& record) {
  const storage::RunSummary& run = record.detail.summary;
  const StepScene& scene = *record.step;
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted(run.name.c_str());
  ImGui::SameLine();
  muted_text(context.theme,
             fmt::format("step {}: peak {} at {} of {}, during {}", scene.step,
                         bytes_text(scene.memory.peak_bytes), scene.memory.peak_event + 1,
                         scene.memory.events, scene.peak_phase));
  hint(
      "A step as a series of allocations and releases. Of a run's first attempt it is the second "
      "step, as the first one also makes what stays.");
  ImGui::SameLine();
  const std::string label = "copy trace command###trace";
  align_right(ImGui::CalcTextSize(label.c_str(), nullptr, true).x +
              2 * ImGui::GetStyle().FramePadding.x);
  const std::string command = "lathe export " + run.id + " --format trace -o memory.json";
  if (quiet_button(label)) {
    ImGui::SetClipboardText(command.c_str());
    context.wishes.toast = "copied: " + command;
  }
  hint("Copies the command that writes this step for Perfetto or Chrome's trace viewer");
}

// Chooses whom to compare with; null: nobody.
const RunRecord* choose_other(PanelContext& context, float width) {
  std::string& other = context.view.memory_other;
  const RunRow* chosen = context.find_row(other);
  ImGui::SetNextItemWidth(width);
  if (ImGui::BeginCombo("##other", chosen == nullptr ? "compare with" : chosen->name.c_str())) {
    if (ImGui::Selectable("no other run", chosen == nullptr)) {
      other.clear();
    }
    if (context.shown.size() < 2) {
      muted_text(context.theme, "tick runs in Runs to have them here");
    }
    for (const std::string& run : context.shown) {
      const RunRow* row = context.find_row(run);
      if (row != nullptr && run != context.state.focus &&
          ImGui::Selectable((row->name + "##" + run).c_str(), run == other)) {
        other = run;
      }
    }
    ImGui::EndCombo();
  }
  hint("Runs that the plots show can be compared: tick them in Runs");
  return other.empty() || other == context.state.focus ? nullptr : recorded_run(context, other);
}

void draw_comparison(PanelContext& context, const RunRecord& record, float width) {
  const RunRecord* other = choose_other(context, width);
  const bool compared = other != nullptr;
  draw_peak_rows(context,
                 peak_rows(record.detail.predicted_peak, record.detail.peak,
                           compared ? &other->detail.peak : nullptr),
                 compared ? std::vector{"at the peak", "this run", "the other", "change"}
                          : std::vector{"at the peak", "planned", "actual"},
                 width);
}

void draw_recorded_step(PanelContext& context) {
  const RunRecord* record = recorded_run(context, context.state.focus);
  if (record == nullptr || record->step == nullptr) {
    ImGui::NewLine();
    empty_state(context, "no step was recorded yet",
                context.state.focus.empty()
                    ? "Choose a run in Runs: the memory of its second step is shown here. "
                      "\"settings\" above plans a step of what Setup holds."
                    : "The memory of the second step of the run in focus is shown here once that "
                      "step is done.");
    return;
  }
  draw_header(context, *record);
  draw_step(context, *record->step, [&](float width) { draw_comparison(context, *record, width); });
}

// What is shown: a run's step as it was, or that of the settings as it would be.
void choose_source(PanelContext& context) {
  bool& planned = context.view.memory_planned;
  ImGui::AlignTextToFramePadding();
  if (ImGui::RadioButton("run in focus", !planned)) {
    planned = false;
  }
  hint("A step as it was recorded");
  ImGui::SameLine();
  if (ImGui::RadioButton("settings", planned)) {
    planned = true;
  }
  hint("A step of the settings in Setup, planned: nothing is run and no memory is taken");
  ImGui::SameLine();
}

}  // namespace

void draw_memory(PanelContext& context) {
  choose_source(context);
  if (context.view.memory_planned) {
    draw_planned_step(context);
  } else {
    draw_recorded_step(context);
  }
}

}  // namespace lathe::ui
