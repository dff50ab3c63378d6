// Live: the metrics of the shown runs over steps or tokens, one plot each, and the memory of the
// run in focus. One cursor crosses all plots.
#include <fmt/format.h>
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "engine/base/format.h"
#include "experiments/metrics.h"
#include "ui/model/value_text.h"
#include "ui/panels/panel.h"
#include "ui/widgets/common.h"
#include "ui/widgets/icons.h"
#include "ui/widgets/plot_series.h"

namespace lathe::ui {

namespace {

struct Curve {
  const RunRow* row;
  std::shared_ptr<const Series> series;
  double x_factor;
};

// Tokens per step: the batch is fixed during a run.
double x_factor_of(const PanelContext& context, const std::string& run) {
  if (context.state.x_axis == XAxis::kSteps) {
    return 1;
  }
  const auto tokens = series_of(context.store, context.live, run, "train/tokens");
  return tokens && tokens->last_step() > 0 ? tokens->last_value() / tokens->last_step() : 1;
}

std::vector<Curve> curves_of(const PanelContext& context, const std::string& metric) {
  std::vector<Curve> out;
  for (const std::string& run : context.shown) {
    const RunRow* row = context.find_row(run);
    if (row == nullptr || contains(context.state.hidden, run)) {
      continue;
    }
    auto series = series_of(context.store, context.live, run, metric);
    if (series && !series->empty()) {
      out.push_back({row, std::move(series), x_factor_of(context, run)});
    }
  }
  return out;
}

void draw_legend(PanelContext& context) {
  const float square = ImGui::GetTextLineHeight() * 0.62f;
  bool first = true;
  for (const std::string& run : context.shown) {
    const RunRow* row = context.find_row(run);
    if (row == nullptr) {
      continue;
    }
    const bool hidden = contains(context.state.hidden, run);
    const float width = ImGui::CalcTextSize(row->name.c_str()).x + square + 30 * context.scale;
    if (!first && ImGui::GetItemRectMax().x + width <
                      ImGui::GetWindowPos().x + ImGui::GetWindowContentRegionMax().x) {
      ImGui::SameLine(0, 4 * context.scale);
    }
    first = false;
    ImGui::PushID(run.c_str());
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImGui::PushStyleColor(ImGuiCol_Text, hidden ? context.theme.muted : context.theme.text);
    if (quiet_button("    " + row->name + "###legend")) {
      toggle(context.state.hidden, run);
    }
    ImGui::PopStyleColor();
    hint(hidden ? "hidden; click to draw it again" : "click to take it out of the plots");
    const ImVec4 color = context.theme.runs[color_index(*row, kRunColors)];
    const float top = at.y + (ImGui::GetFrameHeight() - square) * 0.5f;
    const float left = at.x + ImGui::GetStyle().FramePadding.x;
    const ImU32 paint = ImGui::GetColorU32(with_alpha(color, hidden ? 0.35f : 1.0f));
    if (hidden) {
      ImGui::GetWindowDrawList()->AddRect({left, top}, {left + square, top + square}, paint, 2);
    } else {
      ImGui::GetWindowDrawList()->AddRectFilled({left, top}, {left + square, top + square}, paint,
                                                2);
    }
    ImGui::PopID();
  }
}

void draw_options(PanelContext& context) {
  UiState& state = context.state;
  ImGui::SetNextItemWidth(120 * context.scale);
  float smoothing = static_cast<float>(state.smoothing);
  if (ImGui::SliderFloat("##smoothing", &smoothing, 0.0f, 0.99f,
                         smoothing > 0 ? "smooth %.2f" : "no smoothing")) {
    state.smoothing = smoothing;
  }
  hint("Exponential moving average; what was measured stays as a faint line. Ctrl+click to type.");
  ImGui::SameLine();
  ImGui::SetNextItemWidth(92 * context.scale);
  int axis = static_cast<int>(state.x_axis);
  if (ImGui::Combo("##x_axis", &axis, "x: steps\0x: tokens\0")) {
    state.x_axis = static_cast<XAxis>(axis);
    context.view.free_plots.clear();
  }
  ImGui::SameLine();
  if (ImGui::Button("Fit all")) {
    context.view.free_plots.clear();
  }
  hint("Shows everything again (F). Drag pans, the wheel zooms, a double click fits one plot.");
  ImGui::SameLine();
  ImGui::SetNextItemWidth(110 * context.scale);
  if (ImGui::BeginCombo("##add_plot", "Add a plot")) {
    for (const experiments::MetricDef& metric : experiments::metric_defs()) {
      const std::string id(metric.id);
      if (!contains(state.plots, id) && ImGui::Selectable(id.c_str())) {
        state.plots.push_back(id);
      }
      hint(std::string(metric.help));
    }
    ImGui::EndCombo();
  }
}

// The cursor line of the scrubber, and the one under the mouse, shared by all plots.
void draw_cursors(PanelContext& context, double x_factor) {
  const auto line = [&](double step, const ImVec4& color) {
    const double x = step * x_factor;
    ImPlotSpec spec;
    spec.LineColor = color;
    spec.LineWeight = 1.0f * context.scale;
    spec.Flags = ImPlotItemFlags_NoFit | ImPlotItemFlags_NoLegend;
    ImPlot::PlotInfLines("##cursor", &x, 1, spec);
  };
  if (!context.scrubber.live()) {
    line(context.scrubber.step(), context.theme.warning);
  }
  if (context.view.hover_step >= 0) {
    line(context.view.hover_step, with_alpha(context.theme.muted, 0.6f));
  }
}

void draw_tooltip(PanelContext& context, const std::vector<Curve>& curves, double step) {
  std::vector<std::pair<double, const RunRow*>> values;
  for (const Curve& curve : curves) {
    const double value = curve.series->value_at(step, NAN);
    if (!std::isnan(value) && step <= curve.series->last_step() + 1) {
      values.emplace_back(value, curve.row);
    }
  }
  std::stable_sort(values.begin(), values.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  ImGui::BeginTooltip();
  muted_text(context.theme, fmt::format("step {:.0f}", step));
  for (const auto& [value, row] : values) {
    swatch(context.theme.runs[color_index(*row, kRunColors)], 9 * context.scale);
    ImGui::SameLine();
    ImGui::TextUnformatted(fmt::format("{:<9} {}", value_text(value), row->name).c_str());
  }
  ImGui::EndTooltip();
}

// Panning or zooming frees a plot from following the data; a double click ties it again.
void watch_hands(PanelContext& context, const std::string& metric) {
  if (!ImPlot::IsPlotHovered()) {
    return;
  }
  const bool moved =
      ImGui::GetIO().MouseWheel != 0 || ImGui::IsMouseDragging(0) || ImGui::IsMouseDragging(1);
  if (ImGui::IsMouseDoubleClicked(0)) {
    context.view.free_plots[metric] = false;
  } else if (moved) {
    context.view.free_plots[metric] = true;
  }
  if (ImGui::IsKeyPressed(ImGuiKey_L, false) && !ImGui::GetIO().WantTextInput) {
    toggle(context.state.log_plots, metric);
  }
}

int axis_text(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%s", value_text(value).c_str());
}

void setup_axes(const PanelContext& context, const std::string& metric, bool free) {
  const ImPlotAxisFlags follow = free ? ImPlotAxisFlags_None : ImPlotAxisFlags_AutoFit;
  const ImPlotAxisFlags quiet = ImPlotAxisFlags_NoHighlight | ImPlotAxisFlags_NoSideSwitch;
  ImPlot::SetupAxes(nullptr, nullptr, follow | quiet, follow | quiet);
  ImPlot::SetupAxisFormat(ImAxis_X1, axis_text, nullptr);
  ImPlot::SetupAxisFormat(ImAxis_Y1, axis_text, nullptr);
  if (contains(context.state.log_plots, metric)) {
    ImPlot::SetupAxisScale(ImAxis_Y1, ImPlotScale_Log10);
  }
}

bool draw_plot_head(PanelContext& context, const std::string& metric) {
  const experiments::MetricDef* def = experiments::find_metric(metric);
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted(metric.c_str());
  if (def != nullptr) {
    hint(std::string(def->help));
    ImGui::SameLine();
    muted_text(context.theme, std::string(def->unit));
  }
  const float button = ImGui::CalcTextSize("log").x + ImGui::GetStyle().FramePadding.x * 2;
  const float cross = ImGui::CalcTextSize(icon::kCross).x + ImGui::GetStyle().FramePadding.x * 2;
  ImGui::SameLine();
  align_right(button + cross);
  const bool is_log = contains(context.state.log_plots, metric);
  ImGui::PushStyleColor(ImGuiCol_Text, is_log ? context.theme.accent : context.theme.muted);
  if (quiet_button("log")) {
    toggle(context.state.log_plots, metric);
  }
  ImGui::PopStyleColor();
  hint("Logarithmic y axis (L over the plot)");
  ImGui::SameLine(0, 0);
  ImGui::PushStyleColor(ImGuiCol_Text, context.theme.muted);
  const bool close = quiet_button(std::string(icon::kCross) + "###close");
  ImGui::PopStyleColor();
  hint("Takes this plot away; Add a plot brings it back");
  return close;
}

void draw_curves(PanelContext& context, const std::string& metric, const std::vector<Curve>& curves,
                 bool free) {
  const ImPlotRect limits = ImPlot::GetPlotLimits();
  const auto columns = static_cast<std::size_t>(std::max(16.0f, ImPlot::GetPlotSize().x));
  for (const Curve& curve : curves) {
    const bool focused = curve.row->id == context.state.focus;
    const CurveStyle style{.color = context.theme.runs[color_index(*curve.row, kRunColors)],
                           .weight = (focused ? 2.4f : 1.5f) * context.scale,
                           .smoothing = static_cast<float>(context.state.smoothing),
                           .x_factor = curve.x_factor};
    plot_curve(curve.row->name + "##" + curve.row->id, *curve.series, style,
               free ? limits.X.Min : 0, free ? limits.X.Max : 0, columns);
  }
  const double factor = curves.empty() ? 1 : curves.front().x_factor;
  draw_cursors(context, factor);
  if (ImPlot::IsPlotHovered()) {
    const double step = std::max(0.0, std::round(ImPlot::GetPlotMousePos().x / factor));
    context.view.next_hover_step = step;
    draw_tooltip(context, curves, step);
    if (ImGui::IsMouseClicked(0) && ImGui::GetIO().KeyCtrl) {
      context.scrubber.seek(step);
    }
  }
  watch_hands(context, metric);
}

// True if its close button was pressed.
bool draw_plot(PanelContext& context, const std::string& metric, ImVec2 size) {
  const std::vector<Curve> curves = curves_of(context, metric);
  ImGui::PushID(metric.c_str());
  ImGui::BeginChild("card", size, ImGuiChildFlags_None);
  const bool close = draw_plot_head(context, metric);
  const bool free = context.view.free_plots[metric];
  if (curves.empty()) {
    empty_state(context, "no points yet", "The first value of " + metric + " will appear here.");
  } else if (ImPlot::BeginPlot("##plot", {-1, -1},
                               ImPlotFlags_NoLegend | ImPlotFlags_NoTitle | ImPlotFlags_NoFrame |
                                   ImPlotFlags_NoMouseText)) {
    setup_axes(context, metric, free);
    draw_curves(context, metric, curves, free);
    ImPlot::EndPlot();
  }
  ImGui::EndChild();
  ImGui::PopID();
  return close;
}

void draw_grid(PanelContext& context, float height) {
  std::vector<std::string>& plots = context.state.plots;
  const ImVec2 gap = ImGui::GetStyle().ItemSpacing;
  const float room = ImGui::GetContentRegionAvail().x;
  const auto count = static_cast<int>(plots.size());
  const int columns = count <= 1 || room < 560 * context.scale ? 1 : (count > 4 ? 3 : 2);
  const int rows = std::max(1, (count + columns - 1) / columns);
  const float least = 120 * context.scale;
  const ImVec2 size{
      (room - gap.x * static_cast<float>(columns - 1)) / static_cast<float>(columns),
      std::max(least, (height - gap.y * static_cast<float>(rows - 1)) / static_cast<float>(rows))};
  std::string closed;
  for (int i = 0; i < count; ++i) {
    if (i % columns != 0) {
      ImGui::SameLine();
    }
    const std::string metric = plots[static_cast<std::size_t>(i)];
    if (draw_plot(context, metric, size)) {
      closed = metric;
    }
  }
  if (!closed.empty()) {
    toggle(plots, closed);
  }
}

}  // namespace

void draw_live_plots(PanelContext& context) {
  if (context.rows.empty() && !context.live.busy) {
    start_card(context);
    return;
  }
  if (context.shown.empty()) {
    if (context.live.busy) {
      empty_state(context, "Starting", context.live.preparing);
    } else {
      empty_state(context, "No run chosen", "Click a run in the table on the left.");
    }
    return;
  }
  draw_options(context);
  draw_legend(context);
  const float room = ImGui::GetContentRegionAvail().y;
  const float memory = std::clamp(room * 0.30f, 130 * context.scale, 280 * context.scale);
  const float plots = room - memory - ImGui::GetStyle().ItemSpacing.y;
  draw_grid(context, std::max(plots, 160 * context.scale));
  draw_memory_plot(context, memory);
}

}  // namespace lathe::ui
