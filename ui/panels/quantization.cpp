// Quantization: what each layer of a model would lose in fewer bits, a type chosen with sliders,
// and what it really costs.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cstdlib>

#include "engine/base/format.h"
#include "experiments/ids.h"
#include "ui/model/value_text.h"
#include "ui/panels/quantization_parts.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/job_row.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

void draw_header(PanelContext& context, const ModelFacts& facts, const QuantProbe* probe) {
  ImGui::SetNextItemWidth(260 * context.scale);
  if (ImGui::BeginCombo("##quant_model", facts.name.c_str())) {
    for (const ModelFacts& model : context.live.models->models) {
      if (ImGui::Selectable(model.name.c_str(), model.model == facts.model)) {
        context.state.model = model.model;
      }
    }
    ImGui::EndCombo();
  }
  if (probe != nullptr) {
    ImGui::SameLine();
    ImGui::AlignTextToFramePadding();
    muted_text(context.theme,
               fmt::format("{} matrices rounded to {} types in {}", probe->layers.size(),
                           probe->options.size(), duration_text(probe->secs)));
  }
}

// A combo of words with a tooltip for each; true when another was chosen.
template <typename Choices>
bool choose(const char* label, float width, const Choices& choices, int& chosen) {
  bool changed = false;
  ImGui::SetNextItemWidth(width);
  const auto& now = choices[static_cast<std::size_t>(chosen)];
  if (ImGui::BeginCombo(label, now.title)) {
    for (std::size_t i = 0; i < choices.size(); ++i) {
      if (ImGui::Selectable(choices[i].title, static_cast<int>(i) == chosen)) {
        chosen = static_cast<int>(i);
        changed = true;
      }
      hint(choices[i].help);
    }
    ImGui::EndCombo();
  }
  hint(now.help);
  return changed;
}

void choose_type(PanelContext& context, const QuantProbe& probe) {
  QuantForm& form = context.view.quant;
  ImGui::SetNextItemWidth(110 * context.scale);
  if (ImGui::BeginCombo("##quant_type", type_title(form.type).c_str())) {
    for (const std::string& type : types_of(probe)) {
      if (ImGui::Selectable(type_title(type).c_str(), type == form.type)) {
        form.type = type;
        const std::array<int, 2> bits = bits_of(probe, type);
        form.bits = bits[1] > 0 ? std::clamp(form.bits, bits[0], bits[1]) : form.bits;
      }
      hint(type_help(type));
    }
    ImGui::EndCombo();
  }
  hint(type_help(form.type));
}

// Sliders of what the type leaves to be chosen.
void draw_sliders(PanelContext& context, const QuantProbe& probe, float room) {
  QuantForm& form = context.view.quant;
  const std::array<int, 2> bits = bits_of(probe, form.type);
  const std::vector<std::int64_t> groups = groups_of(probe, form.type);
  const float width = (room - ImGui::GetStyle().ItemSpacing.x) / 2;
  if (bits[1] > 0) {
    ImGui::SetNextItemWidth(width);
    ImGui::SliderInt("##bits", &form.bits, bits[0], bits[1], "%d bits",
                     ImGuiSliderFlags_AlwaysClamp);
    hint("Of a level; the scale and the offset of a group come on top");
    ImGui::SameLine();
  }
  if (!groups.empty()) {
    auto place =
        static_cast<int>(std::find(groups.begin(), groups.end(), form.group) - groups.begin());
    place = std::min(place, static_cast<int>(groups.size()) - 1);
    ImGui::SetNextItemWidth(width);
    const std::string shown = fmt::format("groups of {}", groups[static_cast<std::size_t>(place)]);
    if (ImGui::SliderInt("##group", &place, 0, static_cast<int>(groups.size()) - 1, shown.c_str(),
                         ImGuiSliderFlags_AlwaysClamp | ImGuiSliderFlags_NoInput)) {
      form.group = groups[static_cast<std::size_t>(place)];
    }
    hint("Neighbours in a row that share a scale and an offset");
    ImGui::SameLine();
  }
  if (bits[1] == 0 && groups.empty()) {
    ImGui::AlignTextToFramePadding();
    muted_text(context.theme, "nothing to choose");
    ImGui::SameLine();
  }
}

void draw_choice(PanelContext& context, const QuantProbe& probe) {
  QuantForm& form = context.view.quant;
  const float target = 96 * context.scale;
  const float rounding = 104 * context.scale;
  const float gap = ImGui::GetStyle().ItemSpacing.x;
  choose_type(context, probe);
  ImGui::SameLine();
  const float begin = ImGui::GetCursorPosX();
  const float room = ImGui::GetContentRegionAvail().x - target - rounding - 2 * gap;
  draw_sliders(context, probe, std::max(160 * context.scale, room));
  ImGui::SameLine(begin + std::max(160 * context.scale, room) + gap);
  ImGui::SetNextItemWidth(target);
  ImGui::Combo("##quant_target", &form.target, kTargets.data(), static_cast<int>(kTargets.size()));
  hint("Which layers of each block; the others stay as they are");
  ImGui::SameLine();
  const bool gptq = probe.options[option_of(form, probe)].gptq;
  int nearest = 0;
  ImGui::BeginDisabled(!gptq);
  choose("##rounding", rounding, kRoundings, gptq ? form.rounding : nearest);
  ImGui::EndDisabled();
}

struct Figure {
  std::string name;
  std::string value;
  std::string below;
  std::string measured;  // of this choice; empty where it was not
  std::string help;
};

std::vector<Figure> figures_of(PanelContext& context, const QuantScene& scene) {
  const QuantPlan& plan = scene.plan;
  const auto rounded = std::count(plan.rounded.begin(), plan.rounded.end(), true);
  const auto bytes = [](double value) { return bytes_text(static_cast<std::int64_t>(value)); };
  std::vector<Figure> figures{
      {"bits a weight", fmt::format("{:.2f}", plan.bits),
       fmt::format("{} of {} matrices", rounded, scene.probe.layers.size()), "",
       "Codes, scales and offsets of what is rounded"},
      {"whole model", bytes(plan.bytes_after),
       fmt::format("{} of {} in f16", change_text(plan.bytes_before, plan.bytes_after),
                   bytes(plan.bytes_before)),
       "",
       fmt::format("As the folder would be written: embedding, head and norms in f16. The file at "
                   "hand has {} ({}).",
                   bytes_text(scene.probe.stored_bytes), scene.facts.format)},
      {"error, mean", heat_text(QuantHeat::kError, plan.error_share), "rounded to nearest", "",
       "Mean over the matrices of |W - W'|^2 as a share of |W|^2"},
      {"held-out perplexity", "not measured", "Evaluate tells it", "", ""}};
  const RunRow* run = quant_measurement_of(context.rows, scene.facts.name, scene.choice);
  if (run == nullptr) {
    return figures;
  }
  const auto known = [&](const char* metric) {
    const auto found = run->last.find(metric);
    return found == run->last.end() ? 0 : found->second;
  };
  const double perplexity = known("eval/ppl");
  const double rise = known("compress/ppl_rise");
  figures[0].measured = fmt::format("{:.2f}", known("compress/bits"));
  figures[1].measured = bytes(known("model/stored_bytes"));
  figures[2].measured = heat_text(QuantHeat::kError, known("compress/round_error"));
  if (scene.choice["quant"]["rounding"] != "nearest") {
    figures[2].measured += " of outputs";
  }
  figures[3] = {"held-out perplexity", value_text(perplexity),
                fmt::format("{:+.1f} % over {}", 100 * rise, value_text(perplexity / (1 + rise))),
                "run " + run->id, ""};
  return figures;
}

void draw_figures(PanelContext& context, const QuantScene& scene) {
  const std::vector<Figure> figures = figures_of(context, scene);
  if (!ImGui::BeginTable("quant_figures", static_cast<int>(figures.size()),
                         ImGuiTableFlags_SizingStretchSame | ImGuiTableFlags_NoSavedSettings)) {
    return;
  }
  for (const Figure& figure : figures) {
    ImGui::TableNextColumn();
    const bool missing = figure.value == "not measured";
    ImGui::BeginGroup();
    muted_text(context.theme, figure.name);
    ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 1.25f);
    colored_text(missing ? context.theme.muted : context.theme.text, figure.value);
    ImGui::PopFont();
    muted_text(context.theme, figure.below);
    const bool run = figure.measured.starts_with("run ");
    colored_text(run ? context.theme.muted : context.theme.good,
                 figure.measured.empty() || run ? figure.measured : "measured " + figure.measured);
    ImGui::EndGroup();
    hint(figure.help);
  }
  ImGui::EndTable();
}

void compress(PanelContext& context, const QuantScene& scene, std::vector<Json> choices,
              const std::string& out) {
  context.wishes.commands.emplace_back(
      ex::CompressModel{ex::new_id(), scene.facts.model, std::move(choices), out});
}

// What shall be measured: bits from and to, groups, and the types that leave bits no choice.
void draw_list(PanelContext& context, const QuantScene& scene) {
  if (ImGui::Button("Sweep...###sweep_quant")) {
    ImGui::OpenPopup("quant_list");
  }
  hint("Measures several choices one after the other; each is a run, and a point below");
  if (!ImGui::BeginPopup("quant_list")) {
    return;
  }
  QuantListForm& list = context.view.quant.list;
  const std::array<int, 2> bits = bits_of(scene.probe, swept_type(scene.probe));
  ImGui::SetNextItemWidth(180 * context.scale);
  ImGui::SliderInt("##list_from", &list.from, bits[0], bits[1], "from %d bits",
                   ImGuiSliderFlags_AlwaysClamp);
  ImGui::SetNextItemWidth(180 * context.scale);
  ImGui::SliderInt("##list_to", &list.to, bits[0], bits[1], "to %d bits",
                   ImGuiSliderFlags_AlwaysClamp);
  for (const std::int64_t group : groups_of(scene.probe, swept_type(scene.probe))) {
    const auto at = std::find(list.groups.begin(), list.groups.end(), group);
    bool wanted = list.groups.empty() ? group == context.view.quant.group : at != list.groups.end();
    if (ImGui::Checkbox(fmt::format("groups of {}", group).c_str(), &wanted)) {
      if (list.groups.empty()) {
        list.groups.push_back(context.view.quant.group);
      }
      wanted ? list.groups.push_back(group) : static_cast<void>(std::erase(list.groups, group));
    }
  }
  ImGui::Checkbox("types of fixed bits too", &list.fixed_types);
  ImGui::Checkbox("SpQR of 3 and 4 bits", &list.spqr);
  hint("Of the bits that are asked for; it reads calibration text, which takes longer");
  const std::vector<Json> choices = quant_choices_of(context.view.quant, scene.probe);
  ImGui::BeginDisabled(choices.empty());
  if (primary_button(context.theme, fmt::format("Measure {} choices###start_list", choices.size()),
                     {180 * context.scale, 0})) {
    compress(context, scene, choices, "");
    ImGui::CloseCurrentPopup();
  }
  ImGui::EndDisabled();
  hint("As `lathe compress` does of a list: " +
       std::string(kRoundings[static_cast<std::size_t>(context.view.quant.rounding)].title) +
       ", the layers that are chosen above");
  ImGui::EndPopup();
}

void draw_export(PanelContext& context, const QuantScene& scene) {
  QuantForm& form = context.view.quant;
  const char* home = std::getenv("HOME");
  const std::string usual = fmt::format("{}/{}-{}", home == nullptr ? "." : home, scene.facts.name,
                                        scene.probe.options[scene.option].name);
  const float button = 90 * context.scale;
  ImGui::SetNextItemWidth(std::max(80 * context.scale, ImGui::GetContentRegionAvail().x - button));
  ImGui::InputTextWithHint("##quant_out", usual.c_str(), &form.out);
  hint("A folder that Lathe opens as any model, with the very blocks; it must not exist yet");
  ImGui::SameLine();
  if (ImGui::Button("Export###export_quant", {-1, 0})) {
    compress(context, scene, {scene.choice}, form.out.empty() ? usual : form.out);
  }
  hint("Measures it too, and writes the model; as `lathe compress -o`");
}

void draw_job_actions(PanelContext& context, const QuantScene& scene) {
  const LiveJob* job = context.live.models->latest(scene.facts.model, JobKind::kCompress);
  if (job != nullptr && job->active()) {
    job_row(context, job);
    return;
  }
  const std::string refused = refused_text(scene.probe, scene.plan, scene.option);
  if (!refused.empty()) {
    wrapped_text(context.theme.warning, fmt::format("{} {}", icon::kWarning, refused));
    hint(
        "A model with such layers is not rounded to this type: choose groups that divide their "
        "rows, or other layers");
  }
  ImGui::BeginDisabled(!refused.empty());
  if (primary_button(context.theme, "Evaluate###evaluate_quant")) {
    compress(context, scene, {scene.choice}, "");
  }
  hint("Measures the perplexity of this choice on held-out text, and records it as a run");
  ImGui::SameLine();
  draw_list(context, scene);
  ImGui::SameLine();
  draw_export(context, scene);
  ImGui::EndDisabled();
  if (job != nullptr && job->state == JobState::kFailed) {
    error_card(context, job->error, job->remedy);
  } else if (job != nullptr && job->state == JobState::kDone &&
             !job->result.value("exported", Json::object()).empty()) {
    colored_text(context.theme.good, fmt::format("{} written to {}", icon::kCheck,
                                                 job->result["exported"].value("out", "")));
  }
}

void draw_scene(PanelContext& context, const ModelFacts& facts, const QuantProbe& probe) {
  draw_choice(context, probe);
  const QuantForm& form = context.view.quant;
  const std::size_t option = option_of(form, probe);
  const QuantScene scene{facts, probe, option,
                         plan_quant(probe, option, kTargets[static_cast<std::size_t>(form.target)]),
                         quant_choice_of(form, probe)};
  ImGui::Separator();
  draw_figures(context, scene);
  draw_job_actions(context, scene);
  ImGui::Separator();
  if (probe.layers.empty()) {
    empty_state(context, "No linear layers", "This model has none that could be rounded.");
    return;
  }
  draw_quant_map(context, scene);
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const float height = std::max(190 * context.scale, room.y);
  const float gap = ImGui::GetStyle().ItemSpacing.x;
  draw_levels(context, scene, {(room.x - gap) / 2, height});
  ImGui::SameLine();
  draw_measured_bits(context, scene, {0, height});
}

void draw_look(PanelContext& context, const ModelFacts& facts, const LiveJob* job) {
  if (job != nullptr && job->active()) {
    muted_text(context.theme, "Rounding " + facts.name + ": each matrix to each type.");
    job_row(context, job);
    return;
  }
  wrapped_text(context.theme.muted,
               "A look at the model rounds each matrix of its blocks to each type of few bits, in "
               "memory, and keeps what that loses. It is taken once and reads no text; types are "
               "then chosen and measured in it.");
  ImGui::Dummy({0, 4 * context.scale});
  if (primary_button(context.theme,
                     std::string(icon::kPlay) + "  Look at " + facts.name + "###probe_quant")) {
    context.wishes.commands.emplace_back(ex::ProbeQuant{ex::new_id(), facts.model});
  }
  if (job != nullptr && job->state != JobState::kDone) {
    job_row(context, job);
  }
}

}  // namespace

void draw_quantization(PanelContext& context) {
  const ModelFacts* facts = context.live.models->find_model(context.state.model);
  if (facts == nullptr && !context.live.models->models.empty()) {
    facts = &context.live.models->models.front();
  }
  if (facts == nullptr) {
    no_model_state(context,
                   "Open one in Models, then see here what its layers lose in fewer bits.");
    return;
  }
  const auto found = context.live.models->quant_probes.find(facts->model);
  const bool known = found != context.live.models->quant_probes.end();
  draw_header(context, *facts, known ? found->second.get() : nullptr);
  if (known) {
    draw_scene(context, *facts, *found->second);
  } else {
    draw_look(context, *facts, context.live.models->latest(facts->model, JobKind::kProbeQuant));
  }
}

}  // namespace lathe::ui
