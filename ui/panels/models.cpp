// Models: open one, see what it is. What can be done with it is in model_actions.cpp.
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
  draw_model_actions(context, *facts);
}

}  // namespace

void draw_models(PanelContext& context) {
  draw_open_row(context);
  ImGui::BeginChild("list", {230 * context.scale, 0}, ImGuiChildFlags_ResizeX);
  draw_model_list(context);
  ImGui::EndChild();
  ImGui::SameLine();
  ImGui::BeginChild("model", {0, 0});
  draw_model(context);
  ImGui::EndChild();
}

}  // namespace lathe::ui
