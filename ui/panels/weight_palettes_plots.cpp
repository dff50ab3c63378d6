// The plots of the Palettes panel: a matrix's weights between its centroids, the centroids' ways,
// and figures over steps.
#include <fmt/format.h>
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "ui/model/value_text.h"
#include "ui/panels/weight_palettes_parts.h"
#include "ui/widgets/common.h"
#include "ui/widgets/plot_series.h"

namespace lathe::ui {

namespace {

constexpr ImPlotFlags kPlotFlags = ImPlotFlags_NoTitle | ImPlotFlags_NoFrame |
                                   ImPlotFlags_NoMouseText | ImPlotFlags_NoMenus |
                                   ImPlotFlags_NoBoxSelect;
constexpr ImPlotAxisFlags kFollow = ImPlotAxisFlags_AutoFit | ImPlotAxisFlags_NoHighlight;

// Beyond so many centroids their uses are a curve, not single marks.
constexpr std::size_t kMostMarks = 64;

int percent_text(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%g %%", 100 * value);
}

int axis_text(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%s", value_text(value).c_str());
}

double highest_of(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

// The scrubber's place and the one under the mouse, over steps.
void draw_cursors(PanelContext& context) {
  const auto line = [&](double step, const ImVec4& color) {
    ImPlotSpec spec;
    spec.LineColor = color;
    spec.LineWeight = context.scale;
    spec.Flags = ImPlotItemFlags_NoFit | ImPlotItemFlags_NoLegend;
    ImPlot::PlotInfLines("##cursor", &step, 1, spec);
  };
  if (!context.scrubber.live()) {
    line(context.scrubber.step(), context.theme.warning);
  }
  if (context.view.hover_step >= 0) {
    line(context.view.hover_step, with_alpha(context.theme.muted, 0.6f));
  }
  if (ImPlot::IsPlotHovered()) {
    context.view.next_hover_step = std::max(0.0, std::round(ImPlot::GetPlotMousePos().x));
  }
}

void head(PanelContext& context, const char* title, const std::string& more, const char* help) {
  ImGui::TextUnformatted(title);
  hint(help);
  ImGui::SameLine();
  muted_text(context.theme, more);
}

void choose_shown(PanelContext& context, const PaletteView& palette) {
  if (palette.palettes < 2) {
    return;
  }
  auto shown = static_cast<int>(context.view.palettes.shown);
  const auto rows = fmt::format("palette {} of {}", shown + 1, palette.palettes);
  ImGui::SameLine();
  const float width = 150 * context.scale;
  align_right(width);
  ImGui::SetNextItemWidth(width);
  if (ImGui::SliderInt("##palette_shown", &shown, 0, static_cast<int>(palettes_shown(palette)) - 1,
                       rows.c_str(), ImGuiSliderFlags_AlwaysClamp | ImGuiSliderFlags_NoInput)) {
    context.view.palettes.shown = static_cast<std::size_t>(shown);
  }
  hint("Groups of rows have palettes of their own; the first few are kept");
}

void tell_of_weights(const PaletteCurves& curves) {
  if (!ImPlot::IsPlotHovered() || curves.centroids.empty()) {
    return;
  }
  const double at = ImPlot::GetPlotMousePos().x;
  const auto nearest =
      std::min_element(curves.centroids.begin(), curves.centroids.end(),
                       [&](double a, double b) { return std::abs(a - at) < std::abs(b - at); });
  const auto centroid = static_cast<std::size_t>(nearest - curves.centroids.begin());
  const double first = curves.places.front() - curves.bin_width / 2;
  const auto bins = static_cast<double>(curves.places.size());
  const double place = curves.bin_width > 0 ? (at - first) / curves.bin_width : 0;
  const auto bin = static_cast<std::size_t>(std::clamp(place, 0.0, bins - 1));
  ImGui::SetTooltip(
      "centroid %zu of %zu, at %.4g: %.2f %% of the codes\nbin around %.4g: %.2f %% of the weights",
      centroid + 1, curves.centroids.size(), *nearest, 100 * curves.uses[centroid],
      curves.places[bin], 100 * curves.weights[bin]);
}

void plot_weights(PanelContext& context, const PaletteCurves& curves) {
  ImPlotSpec spec;
  spec.FillColor = with_alpha(context.theme.muted, 0.45f);
  spec.LineColor = with_alpha(context.theme.muted, 0.45f);
  ImPlot::SetAxes(ImAxis_X1, ImAxis_Y1);
  ImPlot::PlotBars("weights in a bin, left", curves.places.data(), curves.weights.data(),
                   static_cast<int>(curves.places.size()), curves.bin_width, spec);
}

// Each a line across the plot, and its use as a stem in it.
void plot_centroids(PanelContext& context, const PaletteCurves& curves) {
  const auto count = static_cast<int>(curves.centroids.size());
  ImPlotSpec line;
  line.LineColor = with_alpha(context.theme.accent, 0.30f);
  line.LineWeight = context.scale;
  line.Flags = ImPlotItemFlags_NoLegend;
  ImPlot::SetAxes(ImAxis_X1, ImAxis_Y2);
  ImPlot::PlotInfLines("##centroids", curves.centroids.data(), count, line);
  ImPlotSpec spec;
  spec.LineColor = context.theme.accent;
  spec.LineWeight = 1.5f * context.scale;
  if (curves.centroids.size() > kMostMarks) {
    ImPlot::PlotLine("codes of a centroid, right", curves.centroids.data(), curves.uses.data(),
                     count, spec);
    return;
  }
  spec.Marker = ImPlotMarker_Circle;
  spec.MarkerSize = 3.5f * context.scale;
  spec.MarkerFillColor = context.theme.accent;
  spec.MarkerLineColor = context.theme.accent;
  ImPlot::PlotStems("codes of a centroid, right", curves.centroids.data(), curves.uses.data(),
                    count, 0, spec);
}

void plot_trails(PanelContext& context, const CentroidTrails& trails) {
  const auto count = static_cast<int>(trails.steps.size());
  ImPlotSpec spec;
  spec.LineColor =
      with_alpha(context.theme.accent, trails.values.size() > kMostMarks ? 0.4f : 0.9f);
  spec.LineWeight = 1.4f * context.scale;
  if (count == 1) {
    spec.Marker = ImPlotMarker_Circle;
    spec.MarkerSize = 2.5f * context.scale;
    spec.MarkerFillColor = context.theme.accent;
    spec.MarkerLineColor = context.theme.accent;
  }
  for (std::size_t i = 0; i < trails.values.size(); ++i) {
    ImPlot::PlotLine(fmt::format("##trail{}", i).c_str(), trails.steps.data(),
                     trails.values[i].data(), count, spec);
  }
}

void plot_course(PanelContext& context, const std::string& label, const std::string& metric,
                 const ImVec4& color, float weight) {
  const auto series = series_of(context.store, context.live, context.state.focus, metric);
  if (series && !series->empty()) {
    plot_curve(label, *series, {.color = color, .weight = weight * context.scale}, 0, 0,
               static_cast<std::size_t>(std::max(16.0f, ImPlot::GetPlotSize().x)));
  }
}

}  // namespace

void draw_palette_weights(PanelContext& context, const PaletteScene& scene, ImVec2 size) {
  ImGui::BeginChild("palette_weights", size);
  const PaletteCurves curves = palette_curves(scene.palette, scene.shown);
  head(context, scene.palette.slot.c_str(),
       fmt::format("{} centroids{}{}", scene.palette.clusters,
                   scene.palette.dim > 1 ? fmt::format(" of {} numbers", scene.palette.dim) : "",
                   curves.idle > 0 ? fmt::format(", {} hardly used", curves.idle) : ""),
       "The weights as they are trained, and the centroids that they are drawn to. Hardly used: by "
       "less than a tenth of the codes that it would have if all were used alike.");
  choose_shown(context, scene.palette);
  if (ImPlot::BeginPlot("##palette_plot", {-1, -1}, kPlotFlags)) {
    ImPlot::SetupAxes(nullptr, nullptr, ImPlotAxisFlags_NoHighlight, ImPlotAxisFlags_NoHighlight);
    ImPlot::SetupAxis(ImAxis_Y2, nullptr, ImPlotAxisFlags_AuxDefault | ImPlotAxisFlags_NoHighlight);
    ImPlot::SetupAxisFormat(ImAxis_X1, axis_text, nullptr);
    ImPlot::SetupAxisFormat(ImAxis_Y1, percent_text, nullptr);
    ImPlot::SetupAxisFormat(ImAxis_Y2, percent_text, nullptr);
    const double low = std::min(scene.palette.lowest, curves.centroids.front());
    const double high = std::max(scene.palette.highest, curves.centroids.back());
    const double margin = std::max(1e-9, 0.03 * (high - low));
    ImPlot::SetupAxisLimits(ImAxis_X1, low - margin, high + margin, ImPlotCond_Always);
    ImPlot::SetupAxisLimits(ImAxis_Y1, 0, 1.45 * highest_of(curves.weights), ImPlotCond_Always);
    ImPlot::SetupAxisLimits(ImAxis_Y2, 0, 1.45 * highest_of(curves.uses), ImPlotCond_Always);
    ImPlot::SetupLegend(ImPlotLocation_NorthEast, ImPlotLegendFlags_NoButtons);
    plot_weights(context, curves);
    plot_centroids(context, curves);
    tell_of_weights(curves);
    ImPlot::EndPlot();
  }
  ImGui::EndChild();
}

void draw_palette_trails(PanelContext& context, const PaletteScene& scene, ImVec2 size) {
  ImGui::BeginChild("palette_trails", size);
  const CentroidTrails trails = centroid_trails(scene.snapshots, scene.palette.slot, scene.shown);
  head(context, "centroids", "over steps", "Where each centroid went, from snapshot to snapshot");
  if (ImPlot::BeginPlot("##trails_plot", {-1, -1}, kPlotFlags | ImPlotFlags_NoLegend)) {
    ImPlot::SetupAxes(nullptr, nullptr, kFollow, kFollow);
    ImPlot::SetupAxisFormat(ImAxis_X1, axis_text, nullptr);
    ImPlot::SetupAxisFormat(ImAxis_Y1, axis_text, nullptr);
    plot_trails(context, trails);
    draw_cursors(context);
    ImPlot::EndPlot();
  }
  ImGui::EndChild();
}

void draw_palette_course(PanelContext& context, const PaletteScene& scene,
                         const PaletteCourse& course, ImVec2 size) {
  ImGui::BeginChild(course.metric, size);
  head(context, course.title, "over steps", course.help);
  if (ImPlot::BeginPlot("##course_plot", {-1, -1}, kPlotFlags)) {
    ImPlot::SetupAxes(nullptr, nullptr, kFollow, kFollow);
    ImPlot::SetupAxisFormat(ImAxis_X1, axis_text, nullptr);
    ImPlot::SetupAxisFormat(ImAxis_Y1, course.most > 0 ? axis_text : percent_text, nullptr);
    ImPlot::SetupLegend(ImPlotLocation_NorthEast, ImPlotLegendFlags_NoButtons);
    const std::string metric = course.metric;
    plot_course(context, "mean of all", metric, context.theme.muted, 1.2f);
    plot_course(context, "this matrix", metric + ":" + scene.palette.slot, context.theme.accent, 2);
    if (course.most > 0) {
      ImPlotSpec level;
      level.LineColor = with_alpha(context.theme.good, 0.8f);
      level.LineWeight = context.scale;
      level.Flags =
          static_cast<ImPlotItemFlags>(ImPlotInfLinesFlags_Horizontal) | ImPlotItemFlags_NoLegend;
      ImPlot::PlotInfLines("##most", &course.most, 1, level);
    }
    draw_cursors(context);
    ImPlot::EndPlot();
  }
  ImGui::EndChild();
}

}  // namespace lathe::ui
