// The map of layers, a layer's singular values, and perplexity over parameters.
#include <fmt/format.h>
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "ui/model/value_text.h"
#include "ui/panels/spectrum_parts.h"
#include "ui/widgets/common.h"

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

ImU32 color_of(double value, double lowest) {
  const double share = lowest < 1 ? (value - lowest) / (1 - lowest) : 1;
  return ImGui::GetColorU32(ImPlot::SampleColormap(static_cast<float>(std::clamp(share, 0.0, 1.0)),
                                                   ImPlotColormap_Viridis));
}

int axis_text(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%s", value_text(value).c_str());
}

// Where the cells are on the screen.
struct Grid {
  ImVec2 origin;
  float width = 0;  // of a cell
  float height = 0;

  ImVec2 corner(std::size_t row, std::int64_t column) const {
    return {origin.x + static_cast<float>(column) * width,
            origin.y + static_cast<float>(row) * height};
  }
};

// The layer whose singular values are drawn: the one that was clicked, or the first.
std::size_t chosen_layer(const PanelContext& context, const ModelSpectrum& spectrum) {
  const auto found = std::find_if(
      spectrum.layers.begin(), spectrum.layers.end(),
      [&](const auto& layer) { return layer.slot.name == context.view.spectrum.layer; });
  return found == spectrum.layers.end() ? 0
                                        : static_cast<std::size_t>(found - spectrum.layers.begin());
}

// A dense layer keeps its matrix: no colour of the scale, but a stroke across the cell.
void draw_dense_cell(PanelContext& context, ImVec2 from, ImVec2 to) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(from, to, ImGui::GetColorU32(context.theme.raised));
  list.AddLine({from.x, to.y}, {to.x, from.y}, ImGui::GetColorU32(context.theme.muted),
               context.scale);
}

void draw_scale(PanelContext& context, const HeatMap& map) {
  const float line = ImGui::GetTextLineHeight();
  const float width = 120 * context.scale;
  const std::string low = fmt::format("{:.0f} %", 100 * map.lowest);
  ImGui::AlignTextToFramePadding();
  muted_text(context.theme, low);
  ImGui::SameLine();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float top = at.y + ImGui::GetStyle().FramePadding.y;
  constexpr int kSteps = 32;
  for (int i = 0; i < kSteps; ++i) {
    const float step = width / kSteps;
    const double share = (i + 0.5) / kSteps;
    ImGui::GetWindowDrawList()->AddRectFilled(
        {at.x + static_cast<float>(i) * step, top}, {at.x + width, top + line},
        color_of(map.lowest + (1 - map.lowest) * share, map.lowest));
  }
  ImGui::Dummy({width, line});
  ImGui::SameLine();
  muted_text(context.theme, "100 %");
  ImGui::SameLine(0, 20 * context.scale);
  const ImVec2 dense = ImGui::GetCursorScreenPos();
  const float dense_top = dense.y + ImGui::GetStyle().FramePadding.y;
  draw_dense_cell(context, {dense.x, dense_top}, {dense.x + line * 1.4f, dense_top + line});
  ImGui::Dummy({line * 1.4f, line});
  ImGui::SameLine();
  muted_text(context.theme, "stays dense");
}

void draw_cells(PanelContext& context, const HeatMap& map, const Grid& grid, HeatKind kind) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float gap = std::min(1.0f * context.scale, 0.15f * grid.width);
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    for (std::int64_t column = 0; column < map.columns; ++column) {
      const std::size_t cell = map.at(row, column);
      const ImVec2 from = grid.corner(row, column);
      const ImVec2 to{from.x + grid.width - gap, from.y + grid.height - gap};
      if (map.dense[cell] && kind != HeatKind::kDecay) {
        draw_dense_cell(context, from, to);
      } else if (!std::isnan(map.values[cell])) {
        list.AddRectFilled(from, to, color_of(map.values[cell], map.lowest));
      } else if (map.layers[cell] >= 0) {
        list.AddRectFilled(from, to, ImGui::GetColorU32(context.theme.raised));
      }
    }
  }
}

// Names of the rows on the left, numbers of blocks below, as many as there is room for.
void draw_labels(PanelContext& context, const HeatMap& map, const Grid& grid) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const ImU32 muted = ImGui::GetColorU32(context.theme.muted);
  const float line = ImGui::GetTextLineHeight();
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    const float width = ImGui::CalcTextSize(map.rows[row].c_str()).x;
    const ImVec2 at = grid.corner(row, 0);
    list.AddText({at.x - width - 8 * context.scale, at.y + (grid.height - line) / 2}, muted,
                 map.rows[row].c_str());
  }
  std::int64_t every = 1;
  for (const std::int64_t step : {1, 2, 5, 10, 20, 50}) {
    every = step;
    if (static_cast<float>(step) * grid.width > 28 * context.scale) {
      break;
    }
  }
  for (std::int64_t column = 0; column < map.columns; column += every) {
    const std::string text = std::to_string(column);
    const float width = ImGui::CalcTextSize(text.c_str()).x;
    const ImVec2 at = grid.corner(map.rows.size(), column);
    list.AddText({at.x + (grid.width - width) / 2, at.y + 2 * context.scale}, muted, text.c_str());
  }
}

void frame_cell(const ImVec4& color, const Grid& grid, std::size_t row, std::int64_t column,
                float weight) {
  const ImVec2 from = grid.corner(row, column);
  ImGui::GetWindowDrawList()->AddRect({from.x - 1, from.y - 1},
                                      {from.x + grid.width, from.y + grid.height},
                                      ImGui::GetColorU32(color), 0, 0, weight);
}

void tell_of_layer(PanelContext& context, const SpectrumScene& scene, std::size_t layer) {
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(ImGui::GetFontSize() * 26);
  bool first = true;
  for (const std::string& line : layer_lines(scene.spectrum, scene.plan, layer)) {
    colored_text(first ? context.theme.text : context.theme.muted, line);
    first = false;
  }
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

void react(PanelContext& context, const SpectrumScene& scene, const HeatMap& map,
           const Grid& grid) {
  const std::string& chosen =
      scene.spectrum.layers[chosen_layer(context, scene.spectrum)].slot.name;
  const ImVec2 mouse = ImGui::GetMousePos();
  const bool hovered = ImGui::IsItemHovered();
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    for (std::int64_t column = 0; column < map.columns; ++column) {
      const int layer = map.layers[map.at(row, column)];
      if (layer < 0) {
        continue;
      }
      const auto place = static_cast<std::size_t>(layer);
      const std::string& name = scene.spectrum.layers[place].slot.name;
      if (name == chosen) {
        frame_cell(context.theme.text, grid, row, column, 2 * context.scale);
      }
      const ImVec2 from = grid.corner(row, column);
      if (hovered && mouse.x >= from.x && mouse.x < from.x + grid.width && mouse.y >= from.y &&
          mouse.y < from.y + grid.height) {
        frame_cell(context.theme.accent, grid, row, column, 1 * context.scale);
        tell_of_layer(context, scene, place);
        if (ImGui::IsMouseClicked(0)) {
          context.view.spectrum.layer = name;
        }
      }
    }
  }
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
  draw_scale(context, map);
  const float left = 46 * context.scale;
  const float line = ImGui::GetTextLineHeightWithSpacing();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  Grid grid;
  grid.origin = {at.x + left, at.y};
  grid.width = std::max(2.0f, (ImGui::GetContentRegionAvail().x - left) /
                                  static_cast<float>(std::max<std::int64_t>(1, map.columns)));
  grid.height = 22 * context.scale;
  const auto rows = static_cast<float>(map.rows.size());
  ImGui::InvisibleButton("##heat", {left + grid.width * static_cast<float>(map.columns),
                                    std::max(1.0f, rows * grid.height)});
  draw_cells(context, map, grid, form.heat);
  draw_labels(context, map, grid);
  react(context, scene, map, grid);
  ImGui::Dummy({0, line});
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
