// Spectrum: what each rank of each layer of a model would lose, ranks chosen with a slider, and
// what they really cost.
#include <fmt/format.h>
#include <imgui.h>
#include <imgui_stdlib.h>

#include <algorithm>
#include <cstdlib>

#include "engine/base/format.h"
#include "experiments/ids.h"
#include "ui/model/value_text.h"
#include "ui/panels/spectrum_parts.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/job_row.h"

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

void draw_header(PanelContext& context, const ModelFacts& facts, const ModelSpectrum* spectrum) {
  ImGui::SetNextItemWidth(260 * context.scale);
  if (ImGui::BeginCombo("##spectrum_model", facts.name.c_str())) {
    for (const ModelFacts& model : context.live.models->models) {
      if (ImGui::Selectable(model.name.c_str(), model.model == facts.model)) {
        context.state.model = model.model;
      }
    }
    ImGui::EndCombo();
  }
  if (spectrum == nullptr) {
    return;
  }
  SpectrumForm& form = context.view.spectrum;
  ImGui::SameLine();
  const char* label = form.settings ? "Back" : "Look again";
  if (ImGui::Button(fmt::format("{}###look_again", label).c_str())) {
    form.settings = !form.settings;
  }
  hint("Another solver, other text, other layers");
  ImGui::SameLine();
  ImGui::AlignTextToFramePadding();
  muted_text(context.theme, look_text(*spectrum));
  if (!spectrum->notes.empty()) {
    ImGui::SameLine();
    colored_text(context.theme.warning,
                 fmt::format("{} {}", icon::kWarning, spectrum->notes.size()));
    hint(fmt::format("{}{}",
                     fmt::join(spectrum->notes.begin(),
                               spectrum->notes.begin() +
                                   std::min<std::ptrdiff_t>(8, std::ssize(spectrum->notes)),
                               "\n"),
                     spectrum->notes.size() > 8 ? "\nand more: they are in each run's log" : ""));
  }
}

void draw_rule(PanelContext& context) {
  SpectrumForm& form = context.view.spectrum;
  const auto rule = static_cast<std::size_t>(form.rule);
  ImGui::SetNextItemWidth(150 * context.scale);
  if (ImGui::BeginCombo("##rule", kRankRules[rule].title)) {
    for (std::size_t i = 0; i < kRankRules.size(); ++i) {
      if (ImGui::Selectable(kRankRules[i].title, i == rule)) {
        form.rule = static_cast<int>(i);
      }
      hint(kRankRules[i].help);
    }
    ImGui::EndCombo();
  }
  hint(kRankRules[rule].help);
  ImGui::SameLine();
  const float right = 190 * context.scale;
  ImGui::SetNextItemWidth(std::max(80 * context.scale, ImGui::GetContentRegionAvail().x - right));
  const bool energy = std::string_view(kRankRules[rule].id) == "energy";
  ImGui::SliderFloat("##value", &form.values[rule], energy ? 0.5f : 0.05f, 1, "%.3f",
                     ImGuiSliderFlags_AlwaysClamp);
  hint("Ctrl+click to type");
  ImGui::SameLine();
  ImGui::SetNextItemWidth(70 * context.scale);
  const std::string shown = std::to_string(kMultiples[static_cast<std::size_t>(form.multiple)]);
  if (ImGui::BeginCombo("##multiple", shown.c_str())) {
    for (std::size_t i = 0; i < kMultiples.size(); ++i) {
      if (ImGui::Selectable(std::to_string(kMultiples[i]).c_str(),
                            static_cast<int>(i) == form.multiple)) {
        form.multiple = static_cast<int>(i);
      }
    }
    ImGui::EndCombo();
  }
  hint("Ranks are multiples of it; hardware likes 8, 64, 128");
  ImGui::SameLine();
  muted_text(context.theme, "multiple");
}

struct Figure {
  std::string name;
  std::string value;
  std::string below;
};

std::vector<Figure> predicted(const ex::RankPlan& plan) {
  const RankSummary& summary = plan.summary;
  const auto of = [](double before, double after, const std::string& text) {
    return change_text(before, after) + " of " + text;
  };
  const auto before = static_cast<double>(summary.params_before);
  const auto after = static_cast<double>(summary.params_after);
  const double kept = summary.energy_kept.value_or(1);
  return {{"rank cut", share_text(summary.rank_cut),
           fmt::format("{} of {} layers", summary.factored, summary.layers)},
          {"parameters", count_text(after), of(before, after, count_text(before))},
          {"bytes, f16", bytes_text(static_cast<std::int64_t>(summary.bytes_after)),
           of(summary.bytes_before, summary.bytes_after,
              bytes_text(static_cast<std::int64_t>(summary.bytes_before)))},
          {"operations/token", count_text(plan.ops_after),
           of(plan.ops_before, plan.ops_after, count_text(plan.ops_before))},
          {"layer error, mean", share_text(1 - kept), share_text(kept) + " kept"}};
}

// What was measured of exactly this choice, in the words of the other figures.
Figure measured(PanelContext& context, const SpectrumScene& scene) {
  const RunRow* run = measurement_of(context.rows, scene.facts.name, scene.choice);
  if (run == nullptr) {
    return {"held-out perplexity", "not measured", "Evaluate tells it"};
  }
  const double perplexity = run->last.at("eval/ppl");
  const double rise = run->last.at("compress/ppl_rise");
  return {"held-out perplexity", value_text(perplexity),
          fmt::format("{:+.1f} % over {}", 100 * rise, value_text(perplexity / (1 + rise)))};
}

void draw_figures(PanelContext& context, const SpectrumScene& scene) {
  std::vector<Figure> figures = predicted(*scene.plan);
  figures.push_back(measured(context, scene));
  if (!ImGui::BeginTable("figures", static_cast<int>(figures.size()),
                         ImGuiTableFlags_SizingStretchSame | ImGuiTableFlags_NoSavedSettings)) {
    return;
  }
  for (const Figure& figure : figures) {
    ImGui::TableNextColumn();
    const bool missing = figure.value == "not measured";
    muted_text(context.theme, figure.name);
    ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 1.25f);
    colored_text(missing ? context.theme.muted : context.theme.text, figure.value);
    ImGui::PopFont();
    muted_text(context.theme, figure.below);
  }
  ImGui::EndTable();
}

void compress(PanelContext& context, const SpectrumScene& scene, const std::string& out) {
  context.wishes.commands.emplace_back(
      ex::CompressModel{ex::new_id(), scene.facts.model, {scene.choice}, out});
}

// LoRD's own statistic: how far a model shrinks before its perplexity has risen by one per cent.
constexpr double kSearchedRise = 0.01;

void draw_search(PanelContext& context, const SpectrumScene& scene) {
  SpectrumForm& form = context.view.spectrum;
  if (ImGui::Button("Find +1 %###find_share")) {
    form.search = ex::new_id();
    context.wishes.commands.emplace_back(ex::CompressModel{
        form.search, scene.facts.model, {search_of(form, scene.spectrum, kSearchedRise)}, ""});
  }
  hint(
      "The smallest model along this rule whose perplexity rises by no more than 1 %, found by "
      "measuring some ten of them: each is recorded, and a point below");
}

void draw_job_actions(PanelContext& context, const SpectrumScene& scene) {
  SpectrumForm& form = context.view.spectrum;
  const LiveJob* job = context.live.models->latest(scene.facts.model, JobKind::kCompress);
  if (job != nullptr && job->id == form.search && job->state == JobState::kDone) {
    take_found(form, job->result.value("spec", Json::object()));
    form.search.clear();
  }
  if (job != nullptr && job->active()) {
    job_row(context, job);
    return;
  }
  ImGui::BeginDisabled(scene.plan == nullptr);
  if (primary_button(context.theme, "Evaluate###evaluate_ranks")) {
    compress(context, scene, "");
  }
  hint("Measures the perplexity of these ranks on held-out text, and records it as a run");
  ImGui::SameLine();
  draw_search(context, scene);
  ImGui::SameLine();
  const char* home = std::getenv("HOME");
  const std::string usual = fmt::format(
      "{}/{}-{}", home == nullptr ? "." : home, scene.facts.name,
      scene.choice.value("solver", "") +
          std::to_string(
              static_cast<int>(1000 * form.values[static_cast<std::size_t>(form.rule)])));
  const float button = 90 * context.scale;
  ImGui::SetNextItemWidth(std::max(80 * context.scale, ImGui::GetContentRegionAvail().x - button));
  ImGui::InputTextWithHint("##factored_out", usual.c_str(), &form.out);
  hint("A folder for Hugging Face programs, in f16 with the factors kept; it must not exist yet");
  ImGui::SameLine();
  if (ImGui::Button("Export###export_ranks", {-1, 0})) {
    compress(context, scene, form.out.empty() ? usual : form.out);
  }
  hint("Measures them too, and writes the model; as `lathe compress -o`");
  ImGui::EndDisabled();
  if (job != nullptr && job->state == JobState::kFailed) {
    error_card(context, job->error, job->remedy);
  } else if (job != nullptr && job->state == JobState::kDone &&
             !job->result.value("exported", Json::object()).empty()) {
    colored_text(context.theme.good, fmt::format("{} written to {}", icon::kCheck,
                                                 job->result["exported"].value("out", "")));
  }
}

void draw_scene(PanelContext& context, const ModelFacts& facts,
                const std::shared_ptr<const ModelSpectrum>& spectrum) {
  draw_rule(context);
  const Json choice = choice_of(context.view.spectrum, *spectrum);
  context.ranks.ask({spectrum, choice});
  const std::shared_ptr<const RankPreview::Answer> answer = context.ranks.latest();
  const bool of_this = answer != nullptr && answer->question.spectrum == spectrum;
  const SpectrumScene scene{facts, *spectrum, choice,
                            of_this && !answer->error ? &answer->value : nullptr};
  ImGui::Separator();
  const float figures = 3.6f * ImGui::GetTextLineHeightWithSpacing();
  ImGui::BeginChild("figures_place", {0, figures});
  if (of_this && answer->error) {
    error_card(context, answer->error->message, answer->error->remedy);
  } else if (scene.plan != nullptr) {
    draw_figures(context, scene);
  }
  ImGui::EndChild();
  draw_job_actions(context, scene);
  ImGui::Separator();
  draw_heat_map(context, scene);
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const float height = std::max(170 * context.scale, room.y);
  const float gap = ImGui::GetStyle().ItemSpacing.x;
  draw_singular_values(context, scene, {(room.x - gap) / 2, height});
  ImGui::SameLine();
  draw_measured_points(context, scene, {0, height});
}

}  // namespace

void draw_spectrum(PanelContext& context) {
  const ModelFacts* facts = context.live.models->find_model(context.state.model);
  if (facts == nullptr && !context.live.models->models.empty()) {
    facts = &context.live.models->models.front();
  }
  if (facts == nullptr) {
    no_model_state(context,
                   "Open one in Models, then see here what each rank of its layers would lose.");
    return;
  }
  const auto found = context.live.models->spectra.find(facts->model);
  const bool known = found != context.live.models->spectra.end();
  draw_header(context, *facts, known ? found->second.get() : nullptr);
  const LiveJob* job = context.live.models->latest(facts->model, JobKind::kDecompose);
  if (!known || context.view.spectrum.settings || (job != nullptr && job->active())) {
    draw_spectrum_look(context, *facts);
    return;
  }
  if (job != nullptr && job->state != JobState::kDone) {
    job_row(context, job);  // a later look failed; the former is still shown
  }
  draw_scene(context, *facts, found->second);
}

}  // namespace lathe::ui
