// What can be done with an open model: talk to it, measure it, tune it, write it for others.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cstdlib>

#include "experiments/ids.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/job_row.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

template <typename Names>
void combo(const char* label, int& chosen, const Names& names) {
  if (!ImGui::BeginCombo(label, names[static_cast<std::size_t>(chosen)])) {
    return;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (ImGui::Selectable(names[i], static_cast<int>(i) == chosen)) {
      chosen = static_cast<int>(i);
    }
  }
  ImGui::EndCombo();
}

// The form's fields begin at one edge, their labels stand before them.
void field_label(PanelContext& context, const char* label) {
  ImGui::AlignTextToFramePadding();
  muted_text(context.theme, label);
  ImGui::SameLine(90 * context.scale);
  ImGui::SetNextItemWidth(-1);
}

// A button that wants data first.
bool data_button(PanelContext& context, const char* label, const std::string& data) {
  ImGui::BeginDisabled(data.empty());
  const bool pressed = primary_button(context.theme, label);
  ImGui::EndDisabled();
  if (data.empty()) {
    ImGui::SameLine();
    muted_text(context.theme, "name the data first");
  }
  return pressed;
}

void draw_evaluate(PanelContext& context, const std::string& model) {
  EvaluationForm& form = context.view.evaluation;
  std::array<const char*, kEvaluationTasks.size()> titles{};
  for (std::size_t i = 0; i < titles.size(); ++i) {
    titles[i] = kEvaluationTasks[i].title;
  }
  field_label(context, "task");
  combo("##task", form.task, titles);
  field_label(context, "data");
  ImGui::InputTextWithHint("##data", kEvaluationTasks[static_cast<std::size_t>(form.task)].data,
                           &form.data);
  field_label(context, "limit");
  ImGui::InputInt("##limit", &form.limit);
  form.limit = std::max(0, form.limit);
  hint("Items or windows to take at most; 0 takes all");
  if (data_button(context, "Evaluate###evaluate_model", form.data)) {
    context.wishes.commands.emplace_back(
        ex::EvaluateModel{ex::new_id(), model, evaluation_of(form)});
  }
  job_row(context, context.live.models->latest(model, JobKind::kEvaluate));
}

void draw_fine_tune_fields(PanelContext& context, FineTuneForm& form) {
  std::array<const char*, kFineTuneKinds.size()> titles{};
  for (std::size_t i = 0; i < titles.size(); ++i) {
    titles[i] = kFineTuneKinds[i].title;
  }
  field_label(context, "learns");
  combo("##kind", form.kind, titles);
  field_label(context, "data");
  ImGui::InputTextWithHint("##tune_data", kFineTuneKinds[static_cast<std::size_t>(form.kind)].data,
                           &form.data);
  field_label(context, "steps");
  ImGui::SliderInt("##steps", &form.steps, 1, 2000, "%d", ImGuiSliderFlags_Logarithmic);
  field_label(context, "batch");
  ImGui::SliderInt("##batch", &form.batch_size, 1, 64, "%d sequences",
                   ImGuiSliderFlags_Logarithmic);
  field_label(context, "length");
  ImGui::SliderInt("##length", &form.seq_len, 16, 2048, "%d tokens", ImGuiSliderFlags_Logarithmic);
  hint("Several samples share a sequence; longer ones lose their end");
  field_label(context, "rate");
  ImGui::InputFloat("##lr", &form.lr, 0, 0, "%.3g");
  form.lr = std::clamp(form.lr, 1e-8f, 1.0f);
  hint("The learning rate after the first tenth of the steps, over which it rises");
}

void draw_fine_tune(PanelContext& context, const ModelFacts& facts) {
  if (facts.is_checkpoint) {
    muted_text(context.theme, "A run begins with a file: export this one first, then open that.");
    return;
  }
  FineTuneForm& form = context.view.fine_tune;
  draw_fine_tune_fields(context, form);
  const Json spec = fine_tune_of(form, facts.path, "fine-tune " + facts.name);
  if (data_button(context, "Fine-tune###fine_tune_model", form.data)) {
    context.wishes.commands.emplace_back(ex::StartRun{spec});
    context.wishes.show_panel = "Live";
  }
  ImGui::SameLine();
  if (ImGui::Button("Open in Setup")) {
    const Result<void> loaded = context.draft.load(spec);  // a sweep without axes
    context.wishes.show_panel = loaded ? "Setup" : "";
    context.wishes.toast = loaded ? "" : loaded.error().text();
  }
  hint("To see what it will need, change more, or sweep over it");
}

void draw_export(PanelContext& context, const ModelFacts& facts) {
  ExportForm& form = context.view.export_form;
  std::array<const char*, kExportTypes.size()> titles{};
  for (std::size_t i = 0; i < titles.size(); ++i) {
    titles[i] = kExportTypes[i].title;
  }
  field_label(context, "format");
  combo("##export_type", form.type, titles);
  const char* home = std::getenv("HOME");
  const std::string usual = export_path(form, home == nullptr ? "." : home, facts.name);
  field_label(context, "to");
  ImGui::InputTextWithHint("##export_out", usual.c_str(), &form.out);
  hint(
      "A file for GGUF, a folder for the others; it must not exist yet. An adapter alone is that "
      "of a "
      "run with lora.rank that began with a model");
  const LiveJob* job = context.live.models->latest(facts.model, JobKind::kExport);
  ImGui::BeginDisabled(job != nullptr && job->active());
  if (primary_button(context.theme, "Export###export_model")) {
    const ExportType& type = kExportTypes[static_cast<std::size_t>(form.type)];
    context.wishes.commands.emplace_back(ex::ExportModel{
        ex::new_id(), facts.model, type.format, type.dtype, form.out.empty() ? usual : form.out});
  }
  ImGui::EndDisabled();
  job_row(context, job);
}

}  // namespace

void draw_model_actions(PanelContext& context, const ModelFacts& facts) {
  if (ImGui::Button("Talk to it")) {
    context.state.playground[0] = facts.model;
    context.wishes.show_panel = "Playground";
  }
  ImGui::SameLine();
  if (ImGui::Button("Make it smaller")) {
    context.wishes.show_panel = "Spectrum";
  }
  hint("Decomposes its layers, and shows what each rank would lose");
  ImGui::SameLine();
  if (ImGui::Button("In fewer bits")) {
    context.wishes.show_panel = "Quantization";
  }
  hint("Rounds its layers, and shows what each type would lose");
  if (ImGui::CollapsingHeader("Evaluate", ImGuiTreeNodeFlags_DefaultOpen)) {
    draw_evaluate(context, facts.model);
  }
  if (ImGui::CollapsingHeader("Fine-tune")) {
    draw_fine_tune(context, facts);
  }
  if (ImGui::CollapsingHeader("Export")) {
    draw_export(context, facts);
  }
}

}  // namespace lathe::ui
