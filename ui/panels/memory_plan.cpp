// Memory, planned: a step of the settings in Setup, with the sliders that decide what backward
// keeps, and how it compares with the run in focus.
#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>

#include "engine/base/format.h"
#include "experiments/run_spec.h"
#include "ui/panels/memory_parts.h"
#include "ui/widgets/common.h"
#include "ui/widgets/param_editor.h"

namespace lathe::ui {

namespace {

using Answer = StepPreview::Answer;

constexpr const char* kSize = "method.velora.sub_token_size";
constexpr const char* kGroups = "method.velora.groups";

// Of the draft; 0 where inputs are kept whole or cut into a number of groups.
std::int64_t chosen_size(const SweepDraft& draft) {
  const Json value = draft.has_method("velora") ? draft.value(kSize) : Json(0);
  return value.is_number() ? value.get<std::int64_t>() : 0;
}

void choose_size(SweepDraft& draft, std::int64_t size) {
  if (!draft.has_method("velora")) {
    draft.set_method("velora", true);
  }
  draft.set(kGroups, 0);
  draft.set(kSize, size);
}

// Inputs whole, then each size that cuts those of every layer.
void draw_size_slider(PanelContext& context, const std::vector<std::int64_t>& sizes) {
  const std::int64_t now = chosen_size(context.draft);
  const auto found = std::find(sizes.begin(), sizes.end(), now);
  int place = now == 0 || found == sizes.end() ? 0 : static_cast<int>(found - sizes.begin()) + 1;
  const auto text = [&](int at) {
    return at == 0 ? std::string("inputs kept whole")
                   : fmt::format("sub-tokens of {}", sizes[static_cast<std::size_t>(at) - 1]);
  };
  ImGui::SetNextItemWidth(-1);
  ImGui::BeginDisabled(sizes.empty());
  if (ImGui::SliderInt("##sub_tokens", &place, 0, static_cast<int>(sizes.size()),
                       text(place).c_str(),
                       ImGuiSliderFlags_AlwaysClamp | ImGuiSliderFlags_NoInput)) {
    choose_size(context.draft, place == 0 ? 0 : sizes[static_cast<std::size_t>(place) - 1]);
  }
  ImGui::EndDisabled();
  hint(
      "VeLoRA: backward keeps one number for so many neighbours of an input. The sizes are those "
      "that cut the inputs of all layers; which layers, Setup says (velora.targets)");
}

void draw_controls(PanelContext& context, const std::vector<std::int64_t>& sizes, float width) {
  draw_size_slider(context, sizes);
  constexpr ImGuiTableFlags kFlags =
      ImGuiTableFlags_NoSavedSettings | ImGuiTableFlags_SizingStretchProp;
  if (!ImGui::BeginTable("decides", 3, kFlags, {width, 0})) {
    return;
  }
  ImGui::TableSetupColumn("name", ImGuiTableColumnFlags_WidthStretch, 1);
  ImGui::TableSetupColumn("axis", ImGuiTableColumnFlags_WidthFixed, 1);
  ImGui::TableSetupColumn("value", ImGuiTableColumnFlags_WidthStretch, 2);
  for (const char* path : {"train.recompute", "train.batch_size", "train.seq_len"}) {
    if (const ParamInfo* param = experiments::find_param(path)) {
      param_row(context, *param, false);
    }
  }
  ImGui::EndTable();
}

void draw_against_run(PanelContext& context, const LedgerSnapshot& peak, float width) {
  const RunRecord* record = recorded_run(context, context.state.focus);
  const bool compared = record != nullptr && record->step != nullptr;
  draw_peak_rows(context, peak_rows(peak, peak, compared ? &record->detail.peak : nullptr),
                 compared ? std::vector{"at the peak", "settings", "run in focus", "change"}
                          : std::vector{"at the peak", "settings"},
                 width);
}

void draw_header(PanelContext& context, const Answer& answer) {
  const StepScene& scene = answer.value.scene;
  muted_text(
      context.theme,
      fmt::format("   step {}: peak {} at {} of {}, during {}; planned in {:.0f} ms", scene.step,
                  bytes_text(scene.memory.peak_bytes), scene.memory.peak_event + 1,
                  scene.memory.events, scene.peak_phase, 1e3 * answer.secs));
  hint("The bytes that the engine would hold, to the byte, for the settings in Setup");
}

}  // namespace

void draw_planned_step(PanelContext& context) {
  context.steps.ask(context.draft.value(""));
  const std::shared_ptr<const Answer> answer = context.steps.latest();
  if (answer == nullptr) {
    ImGui::NewLine();
    empty_state(context, "Planning", "A step of the settings appears here in a moment.");
    return;
  }
  if (answer->error) {
    ImGui::NewLine();
    error_card(context, answer->error->message, answer->error->remedy);
    if (chosen_size(context.draft) > 0 && ImGui::Button("keep inputs whole")) {
      choose_size(context.draft, 0);
    }
    return;
  }
  draw_header(context, *answer);
  draw_step(context, answer->value.scene, [&](float width) {
    draw_controls(context, answer->value.sub_token_sizes, width);
    draw_against_run(context, answer->value.peak, width);
  });
}

}  // namespace lathe::ui
