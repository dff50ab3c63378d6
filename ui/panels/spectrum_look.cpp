// The look at a model: solver, layers, calibration text, and the job that takes it.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>

#include "experiments/ids.h"
#include "ui/panels/spectrum_parts.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/job_row.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

void field_label(PanelContext& context, const char* label) {
  ImGui::AlignTextToFramePadding();
  muted_text(context.theme, label);
  ImGui::SameLine(110 * context.scale);
  ImGui::SetNextItemWidth(std::min(360 * context.scale, ImGui::GetContentRegionAvail().x));
}

void draw_solver(PanelContext& context, SpectrumForm& form) {
  field_label(context, "solver");
  const SolverChoice& chosen = kSolvers[static_cast<std::size_t>(form.solver)];
  if (ImGui::BeginCombo("##solver", chosen.title)) {
    for (std::size_t i = 0; i < kSolvers.size(); ++i) {
      if (ImGui::Selectable(kSolvers[i].title, static_cast<int>(i) == form.solver)) {
        form.solver = static_cast<int>(i);
      }
      hint(kSolvers[i].help);
    }
    ImGui::EndCombo();
  }
  hint(chosen.help);
}

void draw_fields(PanelContext& context, SpectrumForm& form) {
  draw_solver(context, form);
  field_label(context, "layers");
  ImGui::Combo("##target", &form.target, kTargets.data(), static_cast<int>(kTargets.size()));
  field_label(context, "text");
  ImGui::InputTextWithHint("##spectrum_data", "python-stdlib; or a file or folder of text",
                           &form.data);
  hint("Its training part is looked at, its held-out part measures the loss");
  field_label(context, "samples");
  ImGui::SliderInt("##samples", &form.samples, 1, 1024, "%d sequences",
                   ImGuiSliderFlags_Logarithmic | ImGuiSliderFlags_AlwaysClamp);
  field_label(context, "length");
  ImGui::SliderInt("##seq_len", &form.seq_len, 0, 4096,
                   form.seq_len == 0 ? "512 tokens, or the model's context" : "%d tokens",
                   ImGuiSliderFlags_Logarithmic | ImGuiSliderFlags_AlwaysClamp);
  hint("0: 512, or as many as the model sees where that is less");
}

}  // namespace

void draw_spectrum_look(PanelContext& context, const ModelFacts& facts) {
  const LiveJob* job = context.live.models->latest(facts.model, JobKind::kDecompose);
  if (job != nullptr && job->active()) {
    muted_text(context.theme, "Decomposing " + facts.name +
                                  ": each layer is looked at on the text, block by block.");
    job_row(context, job);
    return;
  }
  SpectrumForm& form = context.view.spectrum;
  wrapped_text(context.theme.muted,
               "A look at the model on calibration text tells what each rank of each layer would "
               "lose. It is taken once; ranks are then chosen and measured in it.");
  ImGui::Dummy({0, 4 * context.scale});
  draw_fields(context, form);
  ImGui::Dummy({0, 4 * context.scale});
  if (primary_button(context.theme,
                     std::string(icon::kPlay) + "  Decompose " + facts.name + "###decompose")) {
    context.wishes.commands.emplace_back(
        ex::DecomposeModel{ex::new_id(), facts.model, look_of(form)});
    form.settings = false;
  }
  if (job != nullptr && job->state != JobState::kDone) {
    job_row(context, job);
  }
}

}  // namespace lathe::ui
