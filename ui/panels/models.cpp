// Models: open one, see what it is, measure it.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include "engine/base/format.h"
#include "experiments/ids.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/job_row.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

void open_model(PanelContext& context, const std::string& model) {
  if (model.empty()) {
    return;
  }
  context.wishes.commands.emplace_back(ex::OpenModel{ex::new_id(), model});
  context.state.model = model;
  if (!contains(context.state.recent_models, model)) {
    context.state.recent_models.push_back(model);
  }
}

// Where a model is opened from: a path or a name, and what is at hand.
void draw_open_row(PanelContext& context) {
  const float button = 90 * context.scale;
  ImGui::SetNextItemWidth(std::max(120 * context.scale, ImGui::GetContentRegionAvail().x - button));
  const bool entered =
      ImGui::InputTextWithHint("##model", "a .gguf file, a Hugging Face folder, a run's id or name",
                               &context.view.model_path, ImGuiInputTextFlags_EnterReturnsTrue);
  ImGui::SameLine();
  ImGui::BeginDisabled(context.view.model_path.empty());
  if (primary_button(context.theme, "Open", {-1, 0}) || entered) {
    open_model(context, context.view.model_path);
  }
  ImGui::EndDisabled();
}

// One line per model that was opened or can be.
void draw_model_list(PanelContext& context) {
  const ModelsState& models = *context.live.models;
  std::vector<std::string> names = context.state.recent_models;
  for (const std::string& name : context.installed_models) {
    if (!contains(names, name)) {
      names.push_back(name);
    }
  }
  for (const std::string& name : names) {
    ImGui::PushID(name.c_str());
    const ModelFacts* facts = models.find_model(name);
    const LiveJob* opening = models.latest(name, JobKind::kOpen);
    const bool chosen = context.state.model == name;
    if (ImGui::Selectable((facts != nullptr ? facts->name : name).c_str(), chosen)) {
      facts == nullptr ? open_model(context, name) : void(context.state.model = name);
    }
    if (facts != nullptr) {
      muted_text(context.theme,
                 fmt::format("  {}, {}", facts->format, bytes_text(facts->stored_bytes)));
    } else if (opening != nullptr && opening->active()) {
      muted_text(context.theme, "  opening");
    } else if (opening != nullptr && opening->state == JobState::kFailed) {
      colored_text(context.theme.bad, "  could not be opened");
    } else {
      muted_text(context.theme, "  click to open");
    }
    ImGui::PopID();
  }
}

void fact(PanelContext& context, const char* name, const std::string& value) {
  if (value.empty()) {
    return;
  }
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  muted_text(context.theme, name);
  ImGui::TableNextColumn();
  ImGui::TextWrapped("%s", value.c_str());
}

void draw_facts(PanelContext& context, const ModelFacts& facts) {
  ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 1.3f);
  ImGui::TextUnformatted(facts.name.c_str());
  ImGui::PopFont();
  if (!ImGui::BeginTable("facts", 2)) {
    return;
  }
  ImGui::TableSetupColumn("name", ImGuiTableColumnFlags_WidthFixed, 110 * context.scale);
  ImGui::TableSetupColumn("value");
  fact(context, "file", facts.path);
  fact(context, "format", facts.format);
  fact(context, "shape", facts.architecture);
  fact(context, "tokenizer", facts.tokenizer.empty() ? "none: only token ids" : facts.tokenizer);
  fact(context, "parameters", count_text(static_cast<double>(facts.parameters)));
  fact(context, "stored",
       fmt::format("{}, {:.2f} bits a weight", bytes_text(facts.stored_bytes),
                   facts.bits_per_weight));
  fact(context, "context", facts.context > 0 ? fmt::format("{} tokens", facts.context) : "");
  fact(context, "opened in", fmt::format("{:.0f} ms", 1000 * facts.open_secs));
  ImGui::EndTable();
}

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
  ImGui::BeginDisabled(form.data.empty());
  if (primary_button(context.theme, "Evaluate###evaluate_model")) {
    context.wishes.commands.emplace_back(
        ex::EvaluateModel{ex::new_id(), model, evaluation_of(form)});
  }
  ImGui::EndDisabled();
  if (form.data.empty()) {
    ImGui::SameLine();
    muted_text(context.theme, "name the data first");
  }
  job_row(context, context.live.models->latest(model, JobKind::kEvaluate));
}

void draw_model(PanelContext& context) {
  const std::string& model = context.state.model;
  const ModelFacts* facts = context.live.models->find_model(model);
  const LiveJob* opening = context.live.models->latest(model, JobKind::kOpen);
  if (facts == nullptr) {
    if (opening != nullptr && opening->active()) {
      job_row(context, opening);
    } else if (opening != nullptr && opening->state == JobState::kFailed) {
      error_card(context, opening->error, opening->remedy);
    } else {
      empty_state(context, "No model is open",
                  "Open a file or folder above, or choose one on the left.");
    }
    return;
  }
  draw_facts(context, *facts);
  if (ImGui::Button("Talk to it")) {
    context.state.playground[0] = model;
    context.wishes.show_panel = "Playground";
  }
  if (ImGui::CollapsingHeader("Evaluate", ImGuiTreeNodeFlags_DefaultOpen)) {
    draw_evaluate(context, model);
  }
}

}  // namespace

void draw_models(PanelContext& context) {
  draw_open_row(context);
  ImGui::BeginChild("list", {180 * context.scale, 0}, ImGuiChildFlags_ResizeX);
  draw_model_list(context);
  ImGui::EndChild();
  ImGui::SameLine();
  ImGui::BeginChild("model", {0, 0});
  draw_model(context);
  ImGui::EndChild();
}

}  // namespace lathe::ui
