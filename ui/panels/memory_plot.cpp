// The memory of the run in focus by category, stacked, with its predicted peak; over it three
// lines: the ledger's sum, the allocator's reserve, and what the device has in use.
#include <fmt/format.h>
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/format.h"
#include "ui/model/memory_curves.h"
#include "ui/panels/panel.h"
#include "ui/widgets/byte_plots.h"
#include "ui/widgets/common.h"

namespace lathe::ui {

namespace {

using Samples = std::vector<experiments::MemorySample>;

void draw_bands(PanelContext& context, const Samples& drawn, const std::vector<double>& x) {
  CategorySeries bytes;
  for (std::size_t category = 0; category < kCategoryCount; ++category) {
    for (const experiments::MemorySample& sample : drawn) {
      const LedgerSnapshot& then = snapshot_of(sample, context.state.memory_view);
      bytes[category].push_back(static_cast<double>(then.by_category[category]));
    }
  }
  plot_categories(context.theme, x, bytes);
}

void draw_curves(PanelContext& context, const Samples& drawn, const std::vector<double>& x) {
  const std::array<ImVec4, kMemoryCurves> colors{context.theme.text, context.theme.accent,
                                                 context.theme.bad};
  for (const MemoryCurve& curve : memory_curves(drawn, context.state.memory_view)) {
    ImPlotSpec spec;
    spec.LineColor = colors[curve.kind];
    spec.LineWeight = 2 * context.scale;
    ImPlot::PlotLine(std::string(curve.name).c_str(), x.data(), curve.bytes.data(),
                     static_cast<int>(x.size()), spec);
  }
}

// At most one sample per two pixels.
void draw_samples(PanelContext& context, const Samples& samples) {
  const float columns = std::max(16.0f, ImPlot::GetPlotSize().x) / 2;
  const Samples drawn = thinned(samples, static_cast<std::size_t>(columns));
  std::vector<double> x;
  for (const experiments::MemorySample& sample : drawn) {
    x.push_back(static_cast<double>(sample.step));
  }
  draw_bands(context, drawn, x);
  draw_curves(context, drawn, x);
}

void draw_level(PanelContext& context, const char* id, std::int64_t bytes, const ImVec4& color) {
  if (bytes <= 0) {
    return;
  }
  const auto y = static_cast<double>(bytes);
  ImPlotSpec spec;
  spec.LineColor = color;
  spec.LineWeight = 1.4f * context.scale;
  spec.Flags =
      static_cast<ImPlotItemFlags>(ImPlotInfLinesFlags_Horizontal) | ImPlotItemFlags_NoLegend;
  ImPlot::PlotInfLines(id, &y, 1, spec);
  // A point makes the axis include the level.
  const double x = 0;
  ImPlotSpec hidden;
  hidden.Flags = ImPlotItemFlags_NoLegend;
  hidden.Marker = ImPlotMarker_None;
  ImPlot::PlotScatter(id, &x, &y, 1, hidden);
}

void draw_tooltip(PanelContext& context, const Samples& samples) {
  const double step = std::round(ImPlot::GetPlotMousePos().x);
  context.view.next_hover_step = std::max(0.0, step);
  const auto after = std::upper_bound(
      samples.begin(), samples.end(), step,
      [](double value, const auto& sample) { return value < static_cast<double>(sample.step); });
  const auto& sample = after == samples.begin() ? *after : *(after - 1);
  const LedgerSnapshot& bytes = snapshot_of(sample, context.state.memory_view);
  ImGui::BeginTooltip();
  muted_text(context.theme,
             fmt::format("step {}, {} in all", sample.step, bytes_text(bytes.live_bytes)));
  if (sample.pool_bytes > 0) {
    muted_text(context.theme, "reserve " + bytes_text(sample.pool_bytes));
  }
  if (sample.device_used_bytes) {
    muted_text(context.theme,
               "device " + bytes_text(*sample.device_used_bytes) + " by all programs");
  }
  for (std::size_t i = kCategoryCount; i-- > 0;) {
    if (bytes.by_category[i] > 0) {
      swatch(context.theme.categories[i], 9 * context.scale);
      ImGui::SameLine();
      ImGui::TextUnformatted(
          fmt::format("{:<11} {}", bytes_text(bytes.by_category[i]), kCategoryNames[i]).c_str());
    }
  }
  ImGui::EndTooltip();
}

void draw_head(PanelContext& context, const RunRow* row) {
  ImGui::AlignTextToFramePadding();
  ImGui::TextUnformatted("memory by category");
  ImGui::SameLine();
  if (row != nullptr) {
    std::string text = row->name;
    if (row->peak_bytes > 0) {
      text += "   peak " + bytes_text(row->peak_bytes);
    }
    if (row->predicted_peak_bytes > 0) {
      text += "   predicted " + bytes_text(row->predicted_peak_bytes);
    }
    muted_text(context.theme, text);
  }
  ImGui::SameLine();
  align_right(150 * context.scale);
  ImGui::SetNextItemWidth(150 * context.scale);
  int view = static_cast<int>(context.state.memory_view);
  if (ImGui::Combo("##memory_view", &view, "peak within a step\0after a step\0")) {
    context.state.memory_view = static_cast<MemoryView>(view);
  }
}

}  // namespace

void draw_memory_plot(PanelContext& context, float height) {
  ImGui::BeginChild("memory", {0, height}, ImGuiChildFlags_None);
  const RunRow* row = context.find_row(context.state.focus);
  draw_head(context, row);
  const auto samples = memory_of(context.store, context.live, context.state.focus);
  if (!samples || samples->empty()) {
    empty_state(context, "no samples yet",
                row != nullptr && row->predicted_peak_bytes > 0
                    ? "Predicted peak: " + bytes_text(row->predicted_peak_bytes) + "."
                    : "Bytes appear with the first step of the run in focus.");
    ImGui::EndChild();
    return;
  }
  const bool free = context.view.free_plots["memory"];
  if (ImPlot::BeginPlot("##memory", {-1, -1},
                        ImPlotFlags_NoTitle | ImPlotFlags_NoFrame | ImPlotFlags_NoMouseText)) {
    const ImPlotAxisFlags follow = free ? ImPlotAxisFlags_None : ImPlotAxisFlags_AutoFit;
    ImPlot::SetupAxes(nullptr, nullptr, follow | ImPlotAxisFlags_NoHighlight,
                      follow | ImPlotAxisFlags_NoHighlight);
    ImPlot::SetupAxisFormat(ImAxis_Y1, bytes_axis, nullptr);
    setup_bytes_ticks(static_cast<double>(highest_bytes(*samples)));
    ImPlot::SetupLegend(ImPlotLocation_East, ImPlotLegendFlags_Outside | ImPlotLegendFlags_Reverse);
    draw_samples(context, *samples);
    draw_level(context, "##predicted", row != nullptr ? row->predicted_peak_bytes : 0,
               context.theme.text);
    if (!context.scrubber.live()) {
      const double x = context.scrubber.step();
      ImPlotSpec cursor;
      cursor.LineColor = context.theme.warning;
      cursor.Flags = ImPlotItemFlags_NoFit | ImPlotItemFlags_NoLegend;
      ImPlot::PlotInfLines("##cursor", &x, 1, cursor);
    }
    if (ImPlot::IsPlotHovered()) {
      draw_tooltip(context, *samples);
      const bool moved = ImGui::GetIO().MouseWheel != 0 || ImGui::IsMouseDragging(0);
      context.view.free_plots["memory"] = !ImGui::IsMouseDoubleClicked(0) && (free || moved);
    }
    ImPlot::EndPlot();
  }
  ImGui::EndChild();
}

}  // namespace lathe::ui
