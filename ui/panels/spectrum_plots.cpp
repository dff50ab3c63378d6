// The map of layers, a layer's singular values, and perplexity over parameters.
#include <fmt/format.h>
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "ui/model/value_text.h"
#include "ui/panels/spectrum_parts.h"
#include "ui/widgets/common.h"
#include "ui/widgets/heat_grid.h"

namespace lathe::ui {

namespace {

constexpr std::array<const char*, 3> kHeatTitles{"Kept energy", "Directions for 99 % of the energy",
                                                 "Rank"};
constexpr std::array<const char*, 3> kHeatHelp{
    "Share of a layer's output energy that its factors keep at the chosen rank",
    "How fast the singular values decay: the share of directions that 99 % of a layer's output "
    "energy needs; the smaller, the better it can be factored",
    "The chosen rank as a share of the layer's smaller side"};

constexpr ImPlotFlags kPlotFlags =
    ImPlotFlags_NoTitle | ImPlotFlags_NoFrame | ImPlotFlags_NoMouseText | ImPlotFlags_NoLegend;

int axis_text(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%s", value_text(value).c_str());
}

// The layer whose singular values are drawn: the one that was clicked, or the first.
std::size_t chosen_layer(const PanelContext& context, const ModelSpectrum& spectrum) {
  const auto found = std::find_if(
      spectrum.layers.begin(), spectrum.layers.end(),
      [&](const auto& layer) { return layer.slot.name == context.view.spectrum.layer; });
  return found == spectrum.layers.end() ? 0
                                        : static_cast<std::size_t>(found - spectrum.layers.begin());
}

// A line across a plot; `flags` say in which direction, and whether the axes shall show it.
void cross_line(const char* name, double at, const ImVec4& color, float weight,
                ImPlotItemFlags flags) {
  ImPlotSpec spec;
  spec.LineColor = color;
  spec.LineWeight = weight;
  spec.Flags = flags;
  ImPlot::PlotInfLines(name, &at, 1, spec);
}

// Says over a point which run it is.
void tell_of_points(const MeasuredPoints& measured, float scale) {
  if (!ImPlot::IsPlotHovered()) {
    return;
  }
  const ImVec2 mouse = ImGui::GetMousePos();
  for (const MeasuredRanks& point : measured.points) {
    const ImVec2 at = ImPlot::PlotToPixels(point.params, point.perplexity);
    if (std::hypot(at.x - mouse.x, at.y - mouse.y) < 8 * scale) {
      ImGui::SetTooltip(
          "%s\n%s parameters, perplexity %s (%s)\nrun %s", point.name.c_str(),
          metric_text("model/params", point.params).c_str(), value_text(point.perplexity).c_str(),
          change_text(measured.dense_perplexity, point.perplexity).c_str(), point.run.c_str());
      return;
    }
  }
}

void draw_points(PanelContext& context, const SpectrumScene& scene,
                 const MeasuredPoints& measured) {
  const double dense = measured.dense_perplexity;
  const auto all = static_cast<double>(scene.spectrum.params);
  cross_line("dense", dense, context.theme.good, 1.5f * context.scale,
             ImPlotInfLinesFlags_Horizontal);
  cross_line("dense + 1 %", 1.01 * dense, with_alpha(context.theme.warning, 0.8f),
             1.0f * context.scale, ImPlotInfLinesFlags_Horizontal);
  ImPlot::TagY(dense, context.theme.good, "dense");
  if (scene.plan != nullptr) {
    const auto now = static_cast<double>(scene.plan->summary.params_after);
    cross_line("chosen", now, with_alpha(context.theme.accent, 0.8f), 1.0f * context.scale, 0);
  }
  ImPlotSpec spec;
  spec.Marker = ImPlotMarker_Circle;
  spec.MarkerSize = 5 * context.scale;
  spec.MarkerFillColor = context.theme.accent;
  spec.MarkerLineColor = context.theme.raised;
  for (const MeasuredRanks& point : measured.points) {
    ImPlot::PlotScatter(("##" + point.run).c_str(), &point.params, &point.perplexity, 1, spec);
  }
  spec.Marker = ImPlotMarker_Square;
  spec.MarkerFillColor = context.theme.good;
  ImPlot::PlotScatter("##dense_model", &all, &dense, 1, spec);
  tell_of_points(measured, context.scale);
}

}  // namespace

void draw_heat_map(PanelContext& context, const SpectrumScene& scene) {
  SpectrumForm& form = context.view.spectrum;
  auto kind = static_cast<int>(form.heat);
  ImGui::SetNextItemWidth(260 * context.scale);
  if (ImGui::Combo("##heat_kind", &kind, kHeatTitles.data(),
                   static_cast<int>(kHeatTitles.size()))) {
    form.heat = static_cast<HeatKind>(kind);
  }
  hint(kHeatHelp[static_cast<std::size_t>(kind)]);
  const HeatMap map = heat_map(scene.spectrum, scene.plan, form.heat);
  ImGui::SameLine(0, 20 * context.scale);
  heat_scale(context, fmt::format("{:.0f} %", 100 * map.lowest), "100 %", "stays dense");
  const HeatGridPick pick =
      heat_grid(context, map, static_cast<int>(chosen_layer(context, scene.spectrum)));
  if (pick.hovered >= 0) {
    lines_tooltip(context.theme,
                  layer_lines(scene.spectrum, scene.plan, static_cast<std::size_t>(pick.hovered)));
  }
  if (pick.clicked >= 0) {
    form.layer = scene.spectrum.layers[static_cast<std::size_t>(pick.clicked)].slot.name;
  }
}

void draw_singular_values(PanelContext& context, const SpectrumScene& scene, ImVec2 size) {
  const std::size_t place = chosen_layer(context, scene.spectrum);
  const auto& layer = scene.spectrum.layers[place];
  ImGui::BeginChild(layer.slot.name.c_str(), size);
  const std::int64_t rank = scene.plan == nullptr ? 0 : scene.plan->layers[place].rank;
  const std::int64_t full = layer.spectrum.full_rank();
  muted_text(context.theme,
             fmt::format("singular values of {}, {}", layer.slot.name,
                         rank > 0 ? fmt::format("rank {} of {}", rank, full) : "stays dense"));
  const std::vector<double> values = singular_values(layer.spectrum);
  if (!values.empty() && ImPlot::BeginPlot("##values", {-1, -1}, kPlotFlags)) {
    ImPlot::SetupAxes(nullptr, nullptr, ImPlotAxisFlags_NoHighlight, ImPlotAxisFlags_NoHighlight);
    ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
    ImPlot::SetupAxesLimits(0, static_cast<double>(full) + 1,
                            std::max(values.back(), values.front() * 1e-6) * 0.7,
                            values.front() * 1.6, ImPlotCond_Always);
    ImPlotSpec spec;
    spec.LineColor = context.theme.accent;
    spec.LineWeight = 1.8f * context.scale;
    ImPlot::PlotLine("##singular", values.data(), static_cast<int>(values.size()), 1, 1, spec);
    cross_line("##break_even", static_cast<double>(layer.slot.break_even_rank()),
               with_alpha(context.theme.muted, 0.7f), 1.0f * context.scale, ImPlotItemFlags_NoFit);
    ImPlot::TagX(static_cast<double>(layer.slot.break_even_rank()), context.theme.raised,
                 "break-even");
    if (rank > 0) {
      cross_line("##rank", static_cast<double>(rank), context.theme.warning, 2.0f * context.scale,
                 ImPlotItemFlags_NoFit);
    }
    ImPlot::EndPlot();
  }
  ImGui::EndChild();
}

void draw_measured_points(PanelContext& context, const SpectrumScene& scene, ImVec2 size) {
  ImGui::BeginChild("measured_points", size);
  const MeasuredPoints measured = measured_points(context.rows, scene.facts.name);
  muted_text(context.theme, "held-out perplexity over parameters; lines: dense, 1 % above it");
  if (measured.points.empty()) {
    empty_state(context, "Nothing measured yet",
                "Evaluate measures the chosen ranks; each measurement becomes a point here.");
    ImGui::EndChild();
    return;
  }
  ImPlot::PushStyleVar(ImPlotStyleVar_FitPadding, ImVec2(0.08f, 0.12f));
  if (ImPlot::BeginPlot("##points", {-1, -1}, kPlotFlags)) {
    const auto worst =
        std::max_element(measured.points.begin(), measured.points.end(),
                         [](const auto& a, const auto& b) { return a.perplexity < b.perplexity; });
    const ImPlotAxisFlags flags = ImPlotAxisFlags_AutoFit | ImPlotAxisFlags_NoHighlight;
    ImPlot::SetupAxes(nullptr, nullptr, flags, flags);
    ImPlot::SetupAxisFormat(ImAxis_X1, axis_text, nullptr);
    ImPlot::SetupAxisFormat(ImAxis_Y1, axis_text, nullptr);
    if (worst->perplexity > 5 * measured.dense_perplexity) {
      ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
    }
    draw_points(context, scene, measured);
    ImPlot::EndPlot();
  }
  ImPlot::PopStyleVar();
  ImGui::EndChild();
}

}  // namespace lathe::ui
