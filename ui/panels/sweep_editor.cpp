// The sweep editor: parameters with a toggle that makes an axis of them, and beside them the trials
// that this would run, each with its predicted peak and parameters, before anything runs.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>

#include "engine/base/format.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/param_editor.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

void draw_search(PanelContext& context) {
  SweepDraft& draft = context.draft;
  std::string name = draft.name();
  ImGui::SetNextItemWidth(140 * context.scale);
  if (ImGui::InputTextWithHint("##name", "name", &name)) {
    draft.set_name(name);
  }
  hint("What the sweep is called");
  ImGui::SameLine();
  int search = draft.search() == "random" ? 1 : 0;
  ImGui::SetNextItemWidth(96 * context.scale);
  if (ImGui::Combo("##search", &search, "grid\0random\0")) {
    draft.set_search(search == 1 ? "random" : "grid");
  }
  hint("grid: every combination of the axes. random: so many seeded draws from them.");
  if (draft.search() == "random") {
    ImGui::SameLine();
    auto trials = static_cast<int>(draft.trials());
    ImGui::SetNextItemWidth(110 * context.scale);
    if (ImGui::SliderInt("##trials", &trials, 1, 200, "%d trials", ImGuiSliderFlags_Logarithmic)) {
      draft.set_trials(trials);
    }
  }
  ImGui::SameLine();
  auto seeds = static_cast<int>(draft.seeds());
  ImGui::SetNextItemWidth(90 * context.scale);
  if (ImGui::SliderInt("##seeds", &seeds, 1, 10, seeds == 1 ? "%d seed" : "%d seeds")) {
    draft.set_seeds(seeds);
  }
  hint("Each point is run with so many seeds, as replicates");
}

void draw_where(PanelContext& context) {
  std::string text;
  for (const std::string& condition : context.draft.where()) {
    text += (text.empty() ? "" : "; ") + condition;
  }
  ImGui::SetNextItemWidth(-1);
  if (!ImGui::InputTextWithHint("##where", "leave out points: mem.peak < 2GiB; model.params < 5e6",
                                &text, ImGuiInputTextFlags_EnterReturnsTrue)) {
    hint(
        "Conditions on predicted numbers, separated by ; and taken over with Enter. Points that "
        "break one are listed below and not run.");
    return;
  }
  std::vector<std::string> conditions;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    std::string one = text.substr(begin, end - begin);
    one.erase(0, one.find_first_not_of(' '));
    if (!one.empty()) {
      conditions.push_back(one);
    }
    begin = end + 1;
  }
  context.draft.set_where(conditions);
}

std::string start_label(const PreviewResult* preview) {
  if (preview == nullptr || preview->error) {
    return "Start";
  }
  const std::int64_t count = preview->runnable();
  return fmt::format("Start {} point{}", count, count == 1 ? "" : "s");
}

void draw_start(PanelContext& context) {
  const PreviewResult* preview = context.preview;
  const bool can = !context.live.busy && preview != nullptr && !preview->error &&
                   preview->runnable() > 0 && preview->revision == context.draft.revision();
  ImGui::BeginDisabled(!can);
  const std::string label = std::string(icon::kPlay) + "  " + start_label(preview) + "###start";
  if (primary_button(context.theme, label)) {
    const Result<Json> sweep = context.draft.document();
    if (sweep) {
      context.wishes.commands.emplace_back(ex::StartSweep{*sweep});
      context.wishes.show_panel = "Live";
    } else {
      context.wishes.toast = sweep.error().text();
    }
  }
  ImGui::EndDisabled();
  hint(context.live.busy ? "Something runs already" : "Ctrl+Enter");
  ImGui::SameLine();
  ImGui::BeginDisabled(context.sample == nullptr);
  if (ImGui::Button("Load the sample") && context.sample != nullptr) {
    static_cast<void>(context.draft.load(context.sample->sweep));
  }
  ImGui::EndDisabled();
  if (preview != nullptr && preview->excluded() > 0) {
    ImGui::SameLine();
    muted_text(context.theme, fmt::format("{} left out", preview->excluded()));
  }
  if (context.preview_pending) {
    ImGui::SameLine();
    muted_text(context.theme, "predicting");
  }
}

}  // namespace

void draw_sweep_editor(PanelContext& context) {
  const float room = ImGui::GetContentRegionAvail().x;
  const float left = std::clamp(room * 0.46f, 240 * context.scale, 440 * context.scale);
  ImGui::BeginChild("parameters", {left, 0}, ImGuiChildFlags_ResizeX);
  param_form(context, true);
  ImGui::EndChild();
  ImGui::SameLine();
  ImGui::BeginChild("trials", {0, 0});
  draw_search(context);
  draw_where(context);
  draw_start(context);
  draw_trials(context);
  ImGui::EndChild();
}

}  // namespace lathe::ui
