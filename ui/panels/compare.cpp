// Compare: the ticked runs with their curves overlaid, what came out of each, and what differs
// between their specs.
#include <fmt/format.h>
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "engine/base/format.h"
#include "experiments/metrics.h"
#include "ui/model/compare_model.h"
#include "ui/model/value_text.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/plot_series.h"

namespace lathe::ui {

namespace {

void draw_metric_choice(PanelContext& context) {
  ImGui::SetNextItemWidth(170 * context.scale);
  if (ImGui::BeginCombo("##metric", context.view.compare_metric.c_str())) {
    for (const experiments::MetricDef& metric : experiments::metric_defs()) {
      const std::string id(metric.id);
      if (ImGui::Selectable(id.c_str(), id == context.view.compare_metric)) {
        context.view.compare_metric = id;
      }
      hint(std::string(metric.help));
    }
    ImGui::EndCombo();
  }
}

int axis_text(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%s", value_text(value).c_str());
}

void draw_curves(PanelContext& context, const Comparison& comparison, ImVec2 size) {
  ImGui::BeginChild("curves", size);
  draw_metric_choice(context);
  if (ImPlot::BeginPlot("##curves", {-1, -1},
                        ImPlotFlags_NoTitle | ImPlotFlags_NoFrame | ImPlotFlags_NoMouseText)) {
    const bool free = context.view.free_plots["compare"];
    const ImPlotAxisFlags flags =
        (free ? ImPlotAxisFlags_None : ImPlotAxisFlags_AutoFit) | ImPlotAxisFlags_NoHighlight;
    ImPlot::SetupAxes(nullptr, nullptr, flags, flags);
    ImPlot::SetupAxisFormat(ImAxis_Y1, axis_text, nullptr);
    ImPlot::SetupLegend(ImPlotLocation_NorthEast);
    const ImPlotRect limits = ImPlot::GetPlotLimits();
    for (const RunRow& run : comparison.runs) {
      const auto series =
          series_of(context.store, context.live, run.id, context.view.compare_metric);
      if (series) {
        plot_curve(run.name + "##" + run.id, *series,
                   {.color = context.run_color(run.id),
                    .weight = 1.8f * context.scale,
                    .smoothing = static_cast<float>(context.state.smoothing)},
                   free ? limits.X.Min : 0, free ? limits.X.Max : 0,
                   static_cast<std::size_t>(std::max(16.0f, ImPlot::GetPlotSize().x)));
      }
    }
    if (ImPlot::IsPlotHovered()) {
      const bool moved = ImGui::GetIO().MouseWheel != 0 || ImGui::IsMouseDragging(0);
      context.view.free_plots["compare"] = !ImGui::IsMouseDoubleClicked(0) && (free || moved);
    }
    ImPlot::EndPlot();
  }
  ImGui::EndChild();
}

// Loss against parameters: below and to the left is better.
void draw_scatter(PanelContext& context, const Comparison& comparison, ImVec2 size) {
  ImGui::BeginChild("scatter", size);
  ImGui::AlignTextToFramePadding();
  muted_text(context.theme, "held-out loss over parameters");
  ImPlot::PushStyleVar(ImPlotStyleVar_FitPadding, ImVec2(0.12f, 0.18f));
  if (ImPlot::BeginPlot("##scatter", {-1, -1},
                        ImPlotFlags_NoTitle | ImPlotFlags_NoFrame | ImPlotFlags_NoMouseText |
                            ImPlotFlags_NoLegend)) {
    ImPlot::SetupAxes(nullptr, nullptr, ImPlotAxisFlags_AutoFit | ImPlotAxisFlags_NoHighlight,
                      ImPlotAxisFlags_AutoFit | ImPlotAxisFlags_NoHighlight);
    ImPlot::SetupAxisFormat(ImAxis_X1, axis_text, nullptr);
    int marker = 0;
    for (const RunRow& run : comparison.runs) {
      const double x = number_of(run, "params");
      const double y = number_of(run, "eval/loss");
      if (std::isnan(x) || std::isnan(y)) {
        continue;
      }
      ImPlotSpec spec;
      spec.Marker = static_cast<ImPlotMarker>(marker++ % 6);
      spec.MarkerSize = 6 * context.scale;
      spec.MarkerFillColor = context.run_color(run.id);
      spec.MarkerLineColor = context.theme.raised;
      ImPlot::PlotScatter((run.name + "##" + run.id).c_str(), &x, &y, 1, spec);
      ImPlot::PlotText(run.name.c_str(), x, y, {0, -14 * context.scale});
    }
    ImPlot::EndPlot();
  }
  ImPlot::PopStyleVar();
  ImGui::EndChild();
}

void setup_run_columns(PanelContext& context, const Comparison& comparison, const char* first) {
  ImGui::TableSetupScrollFreeze(1, 1);
  ImGui::TableSetupColumn(first, ImGuiTableColumnFlags_WidthFixed, 190 * context.scale);
  for (const RunRow& run : comparison.runs) {
    ImGui::TableSetupColumn((run.name + "##" + run.id).c_str(), ImGuiTableColumnFlags_WidthFixed,
                            104 * context.scale);
  }
  ImGui::TableNextRow(ImGuiTableRowFlags_Headers);
  for (int column = 0; column <= static_cast<int>(comparison.runs.size()); ++column) {
    ImGui::TableSetColumnIndex(column);
    if (column == 0) {
      muted_text(context.theme, first);
      continue;
    }
    const RunRow& run = comparison.runs[static_cast<std::size_t>(column) - 1];
    swatch(context.run_color(run.id), 10 * context.scale);
    ImGui::SameLine();
    ImGui::TextUnformatted(run.name.c_str());
  }
}

constexpr ImGuiTableFlags kTableFlags = ImGuiTableFlags_RowBg | ImGuiTableFlags_NoBordersInBody |
                                        ImGuiTableFlags_ScrollX | ImGuiTableFlags_ScrollY |
                                        ImGuiTableFlags_Resizable | ImGuiTableFlags_SizingFixedFit;

void draw_result_rows(PanelContext& context, const Comparison& comparison) {
  for (const ResultLine& line : comparison.results) {
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    ImGui::TextUnformatted(line.title.c_str());
    for (std::size_t i = 0; i < line.values.size(); ++i) {
      ImGui::TableNextColumn();
      const bool best = static_cast<int>(i) == line.best && line.values.size() > 1;
      const std::string text = metric_text(line.key, line.values[i]) + (best ? "  best" : "");
      colored_text(best ? context.theme.good : context.theme.text, text);
    }
  }
}

void draw_spec_rows(PanelContext& context, const Comparison& comparison) {
  bool any = false;
  for (const SpecLine& line : comparison.spec) {
    if (context.state.only_differences && !line.differs) {
      continue;
    }
    any = true;
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    muted_text(context.theme, line.path);
    for (const std::string& value : line.values) {
      ImGui::TableNextColumn();
      colored_text(line.differs ? context.theme.accent : context.theme.text,
                   value.empty() ? "-" : value);
    }
  }
  if (!any) {
    ImGui::TableNextRow();
    ImGui::TableNextColumn();
    muted_text(context.theme, "no parameter differs");
  }
}

void draw_tables(PanelContext& context, const Comparison& comparison) {
  ImGui::Checkbox("only what differs", &context.state.only_differences);
  hint("D. Parameters that are equal in all runs are left out.");
  ImGui::PushID(static_cast<int>(comparison.runs.size()));
  if (ImGui::BeginTable("comparison", static_cast<int>(comparison.runs.size()) + 1, kTableFlags)) {
    setup_run_columns(context, comparison, "result");
    draw_result_rows(context, comparison);
    draw_spec_rows(context, comparison);
    ImGui::EndTable();
  }
  ImGui::PopID();
}

}  // namespace

void draw_compare(PanelContext& context) {
  // With nothing ticked: what the plots show, which after a sweep is that sweep.
  const std::vector<std::string>& ids =
      context.state.compared.size() >= 2 ? context.state.compared : context.shown;
  const Comparison comparison = compare(context.rows, ids);
  if (comparison.runs.size() < 2) {
    empty_state(context, "Two runs are needed",
                "Tick runs in the table on the left, or run a sweep.");
    return;
  }
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const float height = std::max(180 * context.scale, room.y * 0.46f);
  const float gap = ImGui::GetStyle().ItemSpacing.x;
  const bool side_by_side = room.x > 520 * context.scale;
  const float width = side_by_side ? (room.x - gap) * 0.58f : room.x;
  draw_curves(context, comparison, {width, height});
  if (side_by_side) {
    ImGui::SameLine();
    draw_scatter(context, comparison, {0, height});
  }
  draw_tables(context, comparison);
}

}  // namespace lathe::ui
