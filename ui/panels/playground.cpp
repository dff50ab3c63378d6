// Playground: one prompt, two models side by side, their answers as they come and their speeds.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include "experiments/ids.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

const LiveJob* job_of(PanelContext& context, std::size_t column) {
  return context.live.models->find_job(context.view.playground.jobs[column]);
}

bool answering(PanelContext& context) {
  for (std::size_t column = 0; column < 2; ++column) {
    const LiveJob* job = job_of(context, column);
    if (job != nullptr && job->active()) {
      return true;
    }
  }
  return false;
}

void ask(PanelContext& context) {
  PlaygroundForm& form = context.view.playground;
  for (std::size_t column = 0; column < 2; ++column) {
    const std::string& model = context.state.playground[column];
    form.jobs[column].clear();
    if (!model.empty()) {
      form.jobs[column] = ex::new_id();
      context.wishes.commands.emplace_back(
          ex::Generate{form.jobs[column], model, form.prompt, sampling_of(form), form.chat});
    }
  }
}

void draw_sampling(PanelContext& context) {
  PlaygroundForm& form = context.view.playground;
  const float width = 120 * context.scale;
  ImGui::SetNextItemWidth(width);
  ImGui::SliderFloat("temperature", &form.temperature, 0.0f, 2.0f, "%.2f");
  hint("0 always takes the most likely token");
  ImGui::SameLine();
  ImGui::SetNextItemWidth(width);
  ImGui::SliderFloat("top-p", &form.top_p, 0.05f, 1.0f, "%.2f");
  ImGui::SetNextItemWidth(width);
  ImGui::SliderInt("top-k", &form.top_k, 0, 200);
  hint("0: all tokens");
  ImGui::SameLine();
  ImGui::SetNextItemWidth(width);
  ImGui::SliderInt("tokens", &form.max_tokens, 1, 1024, "%d", ImGuiSliderFlags_Logarithmic);
  ImGui::SameLine();
  ImGui::SetNextItemWidth(width);
  ImGui::InputInt("seed", &form.seed);
}

void draw_prompt(PanelContext& context) {
  PlaygroundForm& form = context.view.playground;
  const float height = 4.2f * ImGui::GetTextLineHeightWithSpacing();
  ImGui::InputTextMultiline("##prompt", &form.prompt, {-1, height});
  const bool sent = ImGui::IsItemFocused() && ImGui::GetIO().KeyCtrl &&
                    ImGui::IsKeyPressed(ImGuiKey_Enter, false);
  const bool any_model =
      !context.state.playground[0].empty() || !context.state.playground[1].empty();
  const bool can = !form.prompt.empty() && any_model;
  if (answering(context)) {
    if (ImGui::Button((std::string(icon::kStop) + "  Stop###stop_asking").c_str())) {
      for (const JobId& job : form.jobs) {
        context.wishes.commands.emplace_back(ex::CancelJob{job});
      }
    }
    return;
  }
  ImGui::BeginDisabled(!can);
  if (primary_button(context.theme, std::string(icon::kPlay) + "  Ask###ask") || (sent && can)) {
    ask(context);
  }
  ImGui::EndDisabled();
  ImGui::SameLine();
  ImGui::Checkbox("as a chat", &form.chat);
  hint(
      "The prompt is what a user says, in each model's own chat template; else a text to go on "
      "with");
  ImGui::SameLine();
  muted_text(context.theme, !any_model            ? "choose a model below"
                            : form.prompt.empty() ? "write a prompt above; Ctrl+Enter sends it"
                                                  : "Ctrl+Enter");
}

void draw_choice(PanelContext& context, std::size_t column) {
  std::string& chosen = context.state.playground[column];
  const ModelFacts* facts = context.live.models->find_model(chosen);
  const std::string shown = facts != nullptr ? facts->name : chosen.empty() ? "no model" : chosen;
  ImGui::SetNextItemWidth(-1);
  if (!ImGui::BeginCombo("##model", shown.c_str())) {
    return;
  }
  if (ImGui::Selectable("no model", chosen.empty())) {
    chosen.clear();
  }
  std::vector<std::string> names = context.state.recent_models;
  for (const std::string& name : context.installed_models) {
    if (!contains(names, name)) {
      names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    if (ImGui::Selectable(name.c_str(), chosen == name)) {
      chosen = name;
    }
  }
  ImGui::EndCombo();
}

std::string speed_text(const LiveJob& job) {
  if (job.state == JobState::kWaiting) {
    return "waits for its turn";
  }
  if (job.state == JobState::kRunning) {
    return job.what;
  }
  if (job.state == JobState::kCancelled) {
    return "stopped";
  }
  return fmt::format("{} tokens; {:.1f} tokens/s decode, {:.0f} tokens/s prefill",
                     job.result.value("tokens", 0), job.result.value("decode_tokens_per_s", 0.0),
                     job.result.value("prefill_tokens_per_s", 0.0));
}

void draw_answer(PanelContext& context, std::size_t column) {
  draw_choice(context, column);
  const LiveJob* job = job_of(context, column);
  if (job == nullptr) {
    return;
  }
  if (job->state == JobState::kFailed) {
    error_card(context, job->error, job->remedy);
    return;
  }
  muted_text(context.theme, speed_text(*job));
  ImGui::BeginChild("answer", {0, 0}, ImGuiChildFlags_Borders);
  ImGui::TextWrapped("%s", job->text.c_str());
  if (job->state == JobState::kRunning) {
    ImGui::SetScrollHereY(1.0f);
  }
  ImGui::EndChild();
}

}  // namespace

void draw_playground(PanelContext& context) {
  if (context.state.recent_models.empty() && context.installed_models.empty()) {
    empty_state(context, "No model yet", "Open one in Models (5), then ask it something here.");
    return;
  }
  draw_prompt(context);
  draw_sampling(context);
  const float gap = ImGui::GetStyle().ItemSpacing.x;
  const float width = (ImGui::GetContentRegionAvail().x - gap) / 2;
  for (std::size_t column = 0; column < 2; ++column) {
    if (column > 0) {
      ImGui::SameLine();
    }
    ImGui::BeginChild(column == 0 ? "left" : "right", {width, 0});
    draw_answer(context, column);
    ImGui::EndChild();
  }
}

}  // namespace lathe::ui
