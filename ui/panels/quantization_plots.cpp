// The map of layers, a layer's weights between the levels, and perplexity over bits.
#include <fmt/format.h>
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "ui/model/value_text.h"
#include "ui/panels/quantization_parts.h"
#include "ui/widgets/common.h"
#include "ui/widgets/heat_grid.h"

namespace lathe::ui {

namespace {

constexpr std::array<const char*, 3> kHeatTitles{"Error", "Outliers", "Largest weight"};
constexpr std::array<const char*, 3> kHeatHelp{
    "What rounding to nearest loses of a layer: |W - W'|^2 as a share of |W|^2",
    "Share of weights whose magnitude is above 4 σ of their row (σ: the root of its mean square); "
    "of normal weights it is 0.0063 %. The type does not matter.",
    "The largest weight in σ of its row. One that stands far out spreads its group's levels wide."};

constexpr ImPlotFlags kPlotFlags = ImPlotFlags_NoTitle | ImPlotFlags_NoFrame |
                                   ImPlotFlags_NoMouseText | ImPlotFlags_NoMenus |
                                   ImPlotFlags_NoBoxSelect;

// Beyond so many levels they are a curve, not single marks.
constexpr std::size_t kMostMarks = 64;

// The layer whose weights are drawn: the one that was clicked, or the first.
std::size_t chosen_layer(const PanelContext& context, const QuantProbe& probe) {
  const auto found = std::find_if(
      probe.layers.begin(), probe.layers.end(),
      [&](const QuantLayer& layer) { return layer.matrix == context.view.quant.matrix; });
  return found == probe.layers.end() ? 0 : static_cast<std::size_t>(found - probe.layers.begin());
}

int percent_text(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%g %%", 100 * value);
}

int axis_text(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%s", value_text(value).c_str());
}

double highest_of(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

// Says over the plot what is under the mouse.
void tell_of_levels(const LevelCurves& curves) {
  if (!ImPlot::IsPlotHovered() || curves.levels.empty()) {
    return;
  }
  const double at = ImPlot::GetPlotMousePos().x;
  const auto nearest =
      std::min_element(curves.levels.begin(), curves.levels.end(),
                       [&](double a, double b) { return std::abs(a - at) < std::abs(b - at); });
  const auto level = static_cast<std::size_t>(nearest - curves.levels.begin());
  const auto bins = static_cast<double>(curves.places.size());
  const auto bin = static_cast<std::size_t>(std::clamp((at + 1) / 2 * bins, 0.0, bins - 1));
  ImGui::SetTooltip("level %zu of %zu, at %.3f: %.2f %% of the weights\nbin around %.3f: %.2f %%",
                    level + 1, curves.levels.size(), *nearest, 100 * curves.uses[level],
                    curves.places[bin], 100 * curves.weights[bin]);
}

void plot_weights(PanelContext& context, const LevelCurves& curves) {
  ImPlotSpec spec;
  spec.FillColor = with_alpha(context.theme.muted, 0.45f);
  spec.LineColor = with_alpha(context.theme.muted, 0.45f);
  ImPlot::SetAxes(ImAxis_X1, ImAxis_Y1);
  ImPlot::PlotBars("weights in a bin, left", curves.places.data(), curves.weights.data(),
                   static_cast<int>(curves.places.size()),
                   2.0 / static_cast<double>(curves.places.size()), spec);
}

// How much of each part of a row is kept beside the codes.
void plot_kept(PanelContext& context, const LevelCurves& curves) {
  if (!ImPlot::BeginPlot("##kept", {-1, -1}, kPlotFlags)) {
    return;
  }
  ImPlot::SetupAxes("columns, from the first to the last", nullptr,
                    ImPlotAxisFlags_NoHighlight | ImPlotAxisFlags_NoTickLabels,
                    ImPlotAxisFlags_NoHighlight);
  ImPlot::SetupAxisFormat(ImAxis_Y1, percent_text, nullptr);
  ImPlot::SetupAxisLimits(ImAxis_X1, -1.05, 1.05, ImPlotCond_Always);
  ImPlot::SetupAxisLimits(ImAxis_Y1, 0, std::max(1e-6, 1.45 * highest_of(curves.kept)),
                          ImPlotCond_Always);
  ImPlot::SetupLegend(ImPlotLocation_NorthEast, ImPlotLegendFlags_NoButtons);
  ImPlotSpec spec;
  spec.FillColor = context.theme.accent;
  spec.LineColor = context.theme.accent;
  ImPlot::PlotBars("weights kept beside the codes", curves.places.data(), curves.kept.data(),
                   static_cast<int>(curves.places.size()),
                   2.0 / static_cast<double>(curves.places.size()), spec);
  ImPlot::EndPlot();
}

void plot_levels(PanelContext& context, const LevelCurves& curves) {
  ImPlotSpec spec;
  spec.LineColor = context.theme.accent;
  spec.LineWeight = 1.5f * context.scale;
  ImPlot::SetAxes(ImAxis_X1, ImAxis_Y2);
  const auto count = static_cast<int>(curves.levels.size());
  if (curves.levels.size() > kMostMarks) {
    ImPlot::PlotLine("weights at a level, right", curves.levels.data(), curves.uses.data(), count,
                     spec);
    return;
  }
  spec.Marker = ImPlotMarker_Circle;
  spec.MarkerSize = 3.5f * context.scale;
  spec.MarkerFillColor = context.theme.accent;
  spec.MarkerLineColor = context.theme.accent;
  ImPlot::PlotStems("weights at a level, right", curves.levels.data(), curves.uses.data(), count, 0,
                    spec);
}

// Says over a point which run it is.
void tell_of_points(const MeasuredQuant& measured, float scale) {
  if (!ImPlot::IsPlotHovered()) {
    return;
  }
  const ImVec2 mouse = ImGui::GetMousePos();
  for (const MeasuredBits& point : measured.points) {
    const ImVec2 at = ImPlot::PlotToPixels(point.bits, point.perplexity);
    if (std::hypot(at.x - mouse.x, at.y - mouse.y) < 8 * scale) {
      ImGui::SetTooltip(
          "%s\n%.3g bits a weight, %s, perplexity %s (%s)\nrun %s", point.name.c_str(), point.bits,
          metric_text("model/stored_bytes", point.bytes).c_str(),
          value_text(point.perplexity).c_str(),
          change_text(measured.dense_perplexity, point.perplexity).c_str(), point.run.c_str());
      return;
    }
  }
}

// Points of one series, which stand together.
std::vector<std::size_t> series_bounds(const MeasuredQuant& measured) {
  std::vector<std::size_t> bounds{0};
  for (std::size_t i = 1; i <= measured.points.size(); ++i) {
    if (i == measured.points.size() || measured.points[i].series != measured.points[i - 1].series) {
      bounds.push_back(i);
    }
  }
  return bounds;
}

void cross_line(const char* name, double at, const ImVec4& color, float weight,
                ImPlotItemFlags flags) {
  ImPlotSpec spec;
  spec.LineColor = color;
  spec.LineWeight = weight;
  spec.Flags = flags | ImPlotItemFlags_NoLegend;
  ImPlot::PlotInfLines(name, &at, 1, spec);
}

void plot_measured(PanelContext& context, const QuantScene& scene, const MeasuredQuant& measured) {
  cross_line("##as_it_is", measured.dense_perplexity, context.theme.good, 1.5f * context.scale,
             ImPlotInfLinesFlags_Horizontal);
  ImPlot::TagY(measured.dense_perplexity, context.theme.good, "as it is");
  if (scene.plan.bits > 0) {
    cross_line("##chosen", scene.plan.bits, with_alpha(context.theme.accent, 0.8f), context.scale,
               0);
  }
  const std::vector<std::size_t> bounds = series_bounds(measured);
  for (std::size_t s = 0; s + 1 < bounds.size(); ++s) {
    const MeasuredBits& first = measured.points[bounds[s]];
    const ImVec4& color = context.theme.runs[s % kRunColors];
    ImPlotSpec spec;
    spec.LineColor = color;
    spec.LineWeight = 1.5f * context.scale;
    spec.Marker = ImPlotMarker_Circle;
    spec.MarkerSize = 4.5f * context.scale;
    spec.MarkerFillColor = color;
    spec.MarkerLineColor = context.theme.raised;
    spec.Stride = static_cast<int>(sizeof(MeasuredBits));
    ImPlot::PlotLine(first.series.c_str(), &first.bits, &first.perplexity,
                     static_cast<int>(bounds[s + 1] - bounds[s]), spec);
  }
  tell_of_points(measured, context.scale);
}

}  // namespace

void draw_quant_map(PanelContext& context, const QuantScene& scene) {
  QuantForm& form = context.view.quant;
  auto kind = static_cast<int>(form.heat);
  ImGui::SetNextItemWidth(160 * context.scale);
  if (ImGui::Combo("##quant_heat", &kind, kHeatTitles.data(),
                   static_cast<int>(kHeatTitles.size()))) {
    form.heat = static_cast<QuantHeat>(kind);
  }
  hint(kHeatHelp[static_cast<std::size_t>(kind)]);
  const HeatMap map = quant_map(scene.probe, scene.plan, scene.option, form.heat);
  ImGui::SameLine(0, 20 * context.scale);
  const bool stays = std::find(map.struck.begin(), map.struck.end(), true) != map.struck.end();
  heat_scale(context, heat_text(form.heat, map.lowest), heat_text(form.heat, map.highest),
             stays ? "stays as it is" : "");
  const HeatGridPick pick =
      heat_grid(context, map, static_cast<int>(chosen_layer(context, scene.probe)));
  if (pick.hovered >= 0) {
    lines_tooltip(context.theme, quant_layer_lines(scene.probe, scene.plan, scene.option,
                                                   static_cast<std::size_t>(pick.hovered)));
  }
  if (pick.clicked >= 0) {
    form.matrix = scene.probe.layers[static_cast<std::size_t>(pick.clicked)].matrix;
  }
}

void draw_levels(PanelContext& context, const QuantScene& scene, ImVec2 size) {
  const std::size_t layer = chosen_layer(context, scene.probe);
  ImGui::BeginChild(layer_name(scene.probe.layers[layer]).c_str(), size);
  bool first = true;
  for (const std::string& line : quant_layer_lines(scene.probe, scene.plan, scene.option, layer)) {
    wrapped_text(first ? context.theme.text : context.theme.muted, line);
    first = false;
  }
  const LevelCurves curves = level_curves(scene.probe, scene.option, layer);
  if (curves.places.empty() && scene.plan.rounded[layer]) {
    wrapped_text(context.theme.muted, "Rows of this type share tables: its levels are not drawn.");
  }
  if (!curves.kept.empty()) {
    plot_kept(context, curves);
  } else if (!curves.places.empty() && ImPlot::BeginPlot("##levels", {-1, -1}, kPlotFlags)) {
    ImPlot::SetupAxes(nullptr, nullptr, ImPlotAxisFlags_NoHighlight, ImPlotAxisFlags_NoHighlight);
    ImPlot::SetupAxis(ImAxis_Y2, nullptr, ImPlotAxisFlags_AuxDefault | ImPlotAxisFlags_NoHighlight);
    ImPlot::SetupAxisFormat(ImAxis_Y1, percent_text, nullptr);
    ImPlot::SetupAxisFormat(ImAxis_Y2, percent_text, nullptr);
    ImPlot::SetupAxisLimits(ImAxis_X1, -1.05, 1.05, ImPlotCond_Always);
    ImPlot::SetupAxisLimits(ImAxis_Y1, 0, 1.45 * highest_of(curves.weights), ImPlotCond_Always);
    ImPlot::SetupAxisLimits(ImAxis_Y2, 0, 1.45 * highest_of(curves.uses), ImPlotCond_Always);
    ImPlot::SetupLegend(ImPlotLocation_NorthEast, ImPlotLegendFlags_NoButtons);
    plot_weights(context, curves);
    plot_levels(context, curves);
    tell_of_levels(curves);
    ImPlot::EndPlot();
  }
  ImGui::EndChild();
}

void draw_measured_bits(PanelContext& context, const QuantScene& scene, ImVec2 size) {
  ImGui::BeginChild("measured_bits", size);
  const MeasuredQuant measured = measured_quant(context.rows, scene.facts.name);
  muted_text(context.theme, "held-out perplexity over bits a weight");
  if (measured.points.empty()) {
    empty_state(context, "Nothing measured yet",
                "Evaluate measures this choice, Sweep several; each becomes a point here.");
    ImGui::EndChild();
    return;
  }
  ImPlot::PushStyleVar(ImPlotStyleVar_FitPadding, ImVec2(0.08f, 0.12f));
  if (ImPlot::BeginPlot("##bits_points", {-1, -1}, kPlotFlags)) {
    const auto worst =
        std::max_element(measured.points.begin(), measured.points.end(),
                         [](const auto& a, const auto& b) { return a.perplexity < b.perplexity; });
    const ImPlotAxisFlags flags = ImPlotAxisFlags_AutoFit | ImPlotAxisFlags_NoHighlight;
    ImPlot::SetupAxes(nullptr, nullptr, flags, flags);
    ImPlot::SetupAxisFormat(ImAxis_Y1, axis_text, nullptr);
    if (worst->perplexity > 5 * measured.dense_perplexity) {
      ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
    }
    ImPlot::SetupLegend(ImPlotLocation_NorthEast, ImPlotLegendFlags_NoButtons);
    plot_measured(context, scene, measured);
    ImPlot::EndPlot();
  }
  ImPlot::PopStyleVar();
  ImGui::EndChild();
}

}  // namespace lathe::ui
