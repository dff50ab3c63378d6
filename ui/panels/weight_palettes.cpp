// Palettes: the matrices of a run with DKM, whose weights training draws to centroids: as a list,
// as figures, and one of them drawn; and what more or fewer bits would cost the next run.
#include <fmt/format.h>
#include <imgui.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/format.h"
#include "ui/model/value_text.h"
#include "ui/panels/weight_palettes_parts.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"

namespace lathe::ui {

namespace {

constexpr const char* kBits = "method.dkm.bits";
constexpr const char* kClusters = "method.dkm.clusters";
constexpr int kUsualBits = 3;

struct ColumnWords {
  const char* title;
  const char* help;
  float share;  // of the width
};
constexpr std::array<ColumnWords, kPaletteColumns> kColumns{
    {{"matrix", "What is read through a palette; of a low-rank slot both factors", 2.3f},
     {"bits", "Of a code, by weight: neighbours that share one divide it", 0.55f},
     {"distinct", "Different weights, as numbers of 16 bits", 1.0f},
     {"entropy", "Bits that a code says: the fewer, the less alike centroids are used", 1.0f},
     {"soft-hard",
      "How far the weights that training reads are from those that are exported: |W_soft - W_hard| "
      "as a share of |W_hard|",
      1.3f},
     {"stored", "Codes, palettes and scales of the matrix", 1.3f}}};

void choose_bits(SweepDraft& draft, int bits) {
  if (!draft.has_method("dkm")) {
    draft.set_method("dkm", true);
  }
  draft.set(kClusters, 0);
  draft.set(kBits, bits);
}

int chosen_bits(const SweepDraft& draft) {
  const Json value = draft.has_method("dkm") ? draft.value(kBits) : Json(0);
  return value.is_number_integer() ? value.get<int>() : 0;
}

// What the settings would cost, in words.
std::string planned_text(const PanelContext& context) {
  const experiments::PlannedPoint* point =
      context.preview == nullptr ? nullptr : context.preview->largest();
  if (point == nullptr) {
    return "planning";
  }
  const bool several = context.preview->points.size() > 1;
  return fmt::format("{}{} stored, {} at the peak of a step", several ? "largest trial: " : "",
                     bytes_text(point->predicted_stored_bytes),
                     bytes_text(point->predicted_peak_bytes));
}

void draw_settings(PanelContext& context) {
  SweepDraft& draft = context.draft;
  int bits = chosen_bits(draft);
  const bool clusters = bits == 0 && draft.has_method("dkm");
  const std::string text = bits > 0 ? "%d bits" : clusters ? "as clusters say" : "no palettes";
  ImGui::AlignTextToFramePadding();
  muted_text(context.theme, "next run");
  ImGui::SameLine();
  ImGui::SetNextItemWidth(170 * context.scale);
  ImGui::BeginDisabled(draft.is_axis(kBits) || draft.is_axis(kClusters));
  if (ImGui::SliderInt("##dkm_bits", &bits, 1, 8, text.c_str(), ImGuiSliderFlags_AlwaysClamp)) {
    choose_bits(draft, bits);
  }
  ImGui::EndDisabled();
  hint(
      "Of the settings in Setup, for the next run: palettes of 2^bits centroids (method.dkm.bits). "
      "What they cost is planned at once; nothing is run.");
  ImGui::SameLine();
  ImGui::AlignTextToFramePadding();
  if (context.preview != nullptr && context.preview->error) {
    colored_text(context.theme.warning,
                 std::string(icon::kWarning) + "  " + context.preview->error->message);
    hint(context.preview->error->remedy);
  } else {
    muted_text(context.theme, planned_text(context));
  }
}

void draw_header(PanelContext& context, const PaletteScene& scene) {
  const RunRow* row = context.find_row(context.state.focus);
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted(row == nullptr ? context.state.focus.c_str() : row->name.c_str());
  ImGui::SameLine();
  muted_text(context.theme,
             fmt::format("step {}: {} matrices; snapshot {} of {}", scene.now.step,
                         scene.now.palettes->size(), &scene.now - scene.snapshots.data() + 1,
                         scene.snapshots.size()));
  hint(
      "Snapshots are taken before the first step and with each evaluation (train.eval_every). The "
      "time strip goes back to earlier ones.");
}

void figure(PanelContext& context, const char* title, const std::string& value,
            const std::string& below, const char* help) {
  ImGui::TableNextColumn();
  ImGui::BeginGroup();
  muted_text(context.theme, title);
  ImGui::PushFont(nullptr, ImGui::GetStyle().FontSizeBase * 1.25f);
  ImGui::TextUnformatted(value.c_str());
  ImGui::PopFont();
  muted_text(context.theme, below);
  ImGui::EndGroup();
  hint(help);
}

double metric_at(const PanelContext& context, const char* metric, std::int64_t step) {
  const auto series = series_of(context.store, context.live, context.state.focus, metric);
  return series ? series->value_at(static_cast<double>(step), NAN) : NAN;
}

void draw_figures(PanelContext& context, const PaletteScene& scene) {
  if (!ImGui::BeginTable("palette_figures", 5,
                         ImGuiTableFlags_SizingStretchSame | ImGuiTableFlags_NoSavedSettings)) {
    return;
  }
  const PaletteTotals totals = palette_totals(*scene.now.palettes);
  figure(context, "bits a weight", fmt::format("{:.2f}", 8 * totals.stored_bytes / totals.weights),
         bytes_text(static_cast<std::int64_t>(totals.stored_bytes)) + " in all",
         "Codes, palettes and scales of all these matrices, as a packed palette stores them");
  figure(
      context, "distinct weights", count_text(std::round(totals.distinct)), "of 65,536 at most",
      "Different numbers of 16 bits in a matrix, mean. A step of DKM makes attention for each of "
      "them once, however many weights there are.");
  figure(context, "entropy", fmt::format("{:.2f} bits", totals.entropy_bits),
         fmt::format("of {:.2f} at most", totals.full_bits),
         "What a code says, mean of the matrices: less than its bits where some centroids are "
         "hardly used");
  figure(context, "soft to hard", fmt::format("{:.1f} %", 100 * totals.distance),
         "of the weights' size",
         "|W_soft - W_hard| / |W_hard|, mean of the matrices: training reads the soft weights, "
         "evaluation and export the nearest centroids");
  const double gap = metric_at(context, "dkm/soft_hard_gap", scene.now.step);
  const double hard = metric_at(context, "eval/loss", scene.now.step);
  figure(context, "rounding costs", std::isnan(gap) ? "not measured" : fmt::format("{:+.3g}", gap),
         std::isnan(gap)
             ? "with the first evaluation"
             : fmt::format("{} hard, {} soft", value_text(hard), value_text(hard - gap)),
         "Held-out loss of the nearest centroids less that of the soft weights "
         "(dkm/soft_hard_gap), in "
         "nats a token; a lower temperature closes it");
  ImGui::EndTable();
}

void draw_row(PanelContext& context, const PaletteView& palette, bool chosen) {
  ImGui::TableNextRow();
  for (std::size_t i = 0; i < kPaletteColumns; ++i) {
    ImGui::TableNextColumn();
    const std::string text = palette_text(palette, static_cast<PaletteColumn>(i));
    if (i == 0) {
      if (ImGui::Selectable(text.c_str(), chosen, ImGuiSelectableFlags_SpanAllColumns)) {
        context.view.palettes.slot = palette.slot;
      }
      continue;
    }
    align_right(ImGui::CalcTextSize(text.c_str()).x);
    ImGui::TextUnformatted(text.c_str());
  }
}

void draw_titles() {
  ImGui::TableNextRow(ImGuiTableRowFlags_Headers);
  for (std::size_t i = 0; i < kPaletteColumns; ++i) {
    ImGui::TableSetColumnIndex(static_cast<int>(i));
    ImGui::TableHeader(kColumns[i].title);
    hint(kColumns[i].help);
  }
}

void draw_list(PanelContext& context, const PaletteScene& scene, ImVec2 size) {
  constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_Sortable | ImGuiTableFlags_ScrollY |
                                     ImGuiTableFlags_RowBg | ImGuiTableFlags_NoSavedSettings |
                                     ImGuiTableFlags_SizingStretchProp;
  if (!ImGui::BeginTable("matrices", static_cast<int>(kPaletteColumns), kFlags, size)) {
    return;
  }
  ImGui::TableSetupScrollFreeze(0, 1);
  for (const ColumnWords& column : kColumns) {
    ImGui::TableSetupColumn(column.title, ImGuiTableColumnFlags_WidthStretch, column.share);
  }
  draw_titles();
  auto column = PaletteColumn::kSlot;
  bool descending = false;
  if (const ImGuiTableSortSpecs* specs = ImGui::TableGetSortSpecs();
      specs != nullptr && specs->SpecsCount > 0) {
    column = static_cast<PaletteColumn>(specs->Specs[0].ColumnIndex);
    descending = specs->Specs[0].SortDirection == ImGuiSortDirection_Descending;
  }
  const std::vector<PaletteView>& palettes = *scene.now.palettes;
  const std::vector<std::size_t> order = sorted_palettes(palettes, column, descending);
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(order.size()));
  while (clipper.Step()) {
    for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
      const PaletteView& palette = palettes[order[static_cast<std::size_t>(i)]];
      draw_row(context, palette, &palette == &scene.palette);
    }
  }
  ImGui::EndTable();
}

void draw_scene(PanelContext& context, const PaletteScene& scene) {
  draw_header(context, scene);
  ImGui::Separator();
  draw_figures(context, scene);
  draw_settings(context);
  ImGui::Separator();
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const ImVec2 gap = ImGui::GetStyle().ItemSpacing;
  const float upper = std::max(170 * context.scale, std::floor((room.y - gap.y) * 0.56f));
  const float left = std::floor((room.x - gap.x) * 0.52f);
  draw_list(context, scene, {left, upper});
  ImGui::SameLine();
  draw_palette_weights(context, scene, {0, upper});
  const float lower = std::max(140 * context.scale, ImGui::GetContentRegionAvail().y);
  const float third = std::floor((room.x - 2 * gap.x) / 3);
  draw_palette_trails(context, scene, {third, lower});
  ImGui::SameLine();
  draw_palette_course(context, scene,
                      {.title = "entropy, bits",
                       .metric = "dkm/entropy",
                       .help = "What a code says; the level is that of centroids used all alike",
                       .most = std::log2(static_cast<double>(scene.palette.clusters))},
                      {third, lower});
  ImGui::SameLine();
  draw_palette_course(
      context, scene,
      {.title = "soft to hard",
       .metric = "dkm/soft_hard_distance",
       .help = "How far the weights that training reads are from those that are exported"},
      {0, lower});
}

void draw_nothing(PanelContext& context) {
  const bool starts = context.live.busy && context.state.focus == context.live.active;
  empty_state(
      context, "No palettes in this run",
      starts ? "They appear before the first step of a run with DKM, and with each "
               "evaluation."
             : "A run with method.dkm.bits reads its weights through palettes: they appear here "
               "before its first step and with each evaluation.");
  const float width = 190 * context.scale;
  ImGui::SetCursorPosX(ImGui::GetCursorPosX() +
                       std::max(0.0f, (ImGui::GetContentRegionAvail().x - width) / 2));
  if (primary_button(context.theme, "Put DKM into Setup###setup_dkm", {width, 0})) {
    choose_bits(context.draft, kUsualBits);
    context.wishes.show_panel = "Setup";
    context.wishes.toast = "Setup has method.dkm with 3 bits: choose them there, and run";
  }
}

}  // namespace

void draw_weight_palettes(PanelContext& context) {
  const auto snapshots = palettes_of(context.store, context.live, context.state.focus);
  if (!snapshots || snapshots->empty()) {
    draw_nothing(context);
    return;
  }
  const PaletteSnapshot& now = context.scrubber.live()
                                   ? snapshots->back()
                                   : snapshot_at(*snapshots, context.scrubber.step());
  PaletteForm& form = context.view.palettes;
  const PaletteView& palette = (*now.palettes)[chosen_palette(form, *now.palettes)];
  form.shown = std::min(form.shown, palettes_shown(palette) - 1);
  draw_scene(context, {*snapshots, now, palette, form.shown});
}

}  // namespace lathe::ui
