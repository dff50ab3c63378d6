// The drawings of a step that the Memory panel shows, recorded or planned.
#include <fmt/format.h>
#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "engine/base/format.h"
#include "ui/panels/memory_parts.h"
#include "ui/widgets/byte_plots.h"
#include "ui/widgets/common.h"

namespace lathe::ui {

namespace {

const char* name_of(std::size_t category) {
  return kCategoryNames[category].data();
}

void tell_of_column(const PanelContext& context, const StepMemory& memory) {
  const auto after =
      std::lower_bound(memory.event.begin(), memory.event.end(), ImPlot::GetPlotMousePos().x);
  const std::size_t place =
      std::min(memory.event.size() - 1, static_cast<std::size_t>(after - memory.event.begin()));
  ImGui::BeginTooltip();
  double sum = 0;
  for (const auto& bytes : memory.bytes) {
    sum += bytes[place];
  }
  muted_text(context.theme,
             fmt::format("after {} of {}: {}", static_cast<std::int64_t>(memory.event[place]) + 1,
                         memory.events, bytes_text(static_cast<std::int64_t>(sum))));
  for (std::size_t category = kCategoryCount; category-- > 0;) {
    if (memory.bytes[category][place] > 0) {
      swatch(context.theme.categories[category], 9 * context.scale);
      ImGui::SameLine();
      ImGui::TextUnformatted(
          fmt::format("{:<11} {}",
                      bytes_text(static_cast<std::int64_t>(memory.bytes[category][place])),
                      name_of(category))
              .c_str());
    }
  }
  ImGui::EndTooltip();
}

void draw_time_line(PanelContext& context, const StepMemory& memory, ImVec2 size) {
  constexpr ImPlotFlags kFlags =
      ImPlotFlags_NoTitle | ImPlotFlags_NoFrame | ImPlotFlags_NoMouseText | ImPlotFlags_NoMenus;
  if (!ImPlot::BeginPlot("##step_memory", size, kFlags)) {
    return;
  }
  constexpr ImPlotAxisFlags kAxis = ImPlotAxisFlags_AutoFit | ImPlotAxisFlags_NoHighlight;
  ImPlot::SetupAxes("allocations of the step", nullptr, kAxis, kAxis);
  ImPlot::SetupAxisFormat(ImAxis_Y1, bytes_axis, nullptr);
  setup_bytes_ticks(static_cast<double>(memory.peak_bytes));
  ImPlot::SetupLegend(ImPlotLocation_NorthEast, ImPlotLegendFlags_Reverse);
  plot_categories(context.theme, memory.event, memory.bytes);
  const auto peak = static_cast<double>(memory.peak_event);
  ImPlotSpec line;
  line.LineColor = context.theme.text;
  line.LineWeight = 1.4f * context.scale;
  line.Flags = ImPlotItemFlags_NoFit | ImPlotItemFlags_NoLegend;
  ImPlot::PlotInfLines("##peak", &peak, 1, line);
  if (ImPlot::IsPlotHovered()) {
    tell_of_column(context, memory);
  }
  ImPlot::EndPlot();
}

void draw_alive(PanelContext& context, const StepScene& scene, ImVec2 size) {
  constexpr ImGuiTableFlags kFlags = ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg |
                                     ImGuiTableFlags_NoSavedSettings |
                                     ImGuiTableFlags_SizingStretchProp;
  if (!ImGui::BeginTable("alive", 3, kFlags, size)) {
    return;
  }
  ImGui::TableSetupScrollFreeze(0, 1);
  ImGui::TableSetupColumn("alive at the peak", ImGuiTableColumnFlags_WidthStretch, 3);
  ImGui::TableSetupColumn("bytes", ImGuiTableColumnFlags_WidthStretch, 1);
  ImGui::TableSetupColumn("share", ImGuiTableColumnFlags_WidthStretch, 0.7f);
  ImGui::TableHeadersRow();
  ImGuiListClipper clipper;
  clipper.Begin(static_cast<int>(scene.alive.size()));
  while (clipper.Step()) {
    for (int row = clipper.DisplayStart; row < clipper.DisplayEnd; ++row) {
      const AliveTensor& tensor = scene.alive[static_cast<std::size_t>(row)];
      const auto category = static_cast<std::size_t>(tensor.category);
      ImGui::TableNextRow();
      ImGui::TableNextColumn();
      swatch(context.theme.categories[category], 9 * context.scale);
      ImGui::SameLine();
      const std::string name =
          tensor.name.empty() ? std::string(kCategoryNames[category]) : tensor.name;
      ImGui::TextUnformatted((tensor.layer.empty() ? name : tensor.layer + " " + name).c_str());
      hint(fmt::format("{}, {}{}", kCategoryNames[category],
                       tensor.count == 1 ? "once" : fmt::format("{} times", tensor.count),
                       tensor.name.empty() ? ", there before the step" : ""));
      ImGui::TableNextColumn();
      ImGui::TextUnformatted(bytes_text(tensor.bytes).c_str());
      ImGui::TableNextColumn();
      muted_text(context.theme,
                 fmt::format("{:.1f} %", 100.0 * static_cast<double>(tensor.bytes) /
                                             static_cast<double>(scene.memory.peak_bytes)));
    }
  }
  ImGui::EndTable();
}

// The part of the peak under the mouse, in words.
void tell_of_part(const PanelContext& context, const PartMemory& part) {
  ImGui::BeginTooltip();
  muted_text(context.theme, fmt::format("{}: {}", part.part.empty() ? "whole model" : part.part,
                                        bytes_text(part.bytes)));
  for (const LayerBytes& bytes : part.by_category) {
    const auto category = static_cast<std::size_t>(bytes.category);
    swatch(context.theme.categories[category], 9 * context.scale);
    ImGui::SameLine();
    ImGui::TextUnformatted(
        fmt::format("{:<11} {}", bytes_text(bytes.bytes), name_of(category)).c_str());
  }
  ImGui::EndTooltip();
}

// One part: its categories within, and its name where there is room.
void draw_part(const PanelContext& context, const PartMemory& part, const Area& area) {
  ImDrawList& draw = *ImGui::GetWindowDrawList();
  const auto corner = [](double x, double y) {
    return ImVec2(static_cast<float>(x), static_cast<float>(y));
  };
  std::vector<double> sizes;
  for (const LayerBytes& bytes : part.by_category) {
    sizes.push_back(static_cast<double>(bytes.bytes));
  }
  const std::vector<Area> within = treemap(sizes, area);
  for (std::size_t i = 0; i < within.size(); ++i) {
    const auto category = static_cast<std::size_t>(part.by_category[i].category);
    const Area& one = within[i];
    draw.AddRectFilled(corner(one.x, one.y), corner(one.x + one.width, one.y + one.height),
                       ImGui::GetColorU32(with_alpha(context.theme.categories[category], 0.78f)));
  }
  const ImVec2 low = corner(area.x, area.y);
  const ImVec2 high = corner(area.x + area.width, area.y + area.height);
  draw.AddRect(low, high, ImGui::GetColorU32(ImGuiCol_WindowBg), 0, 0, 2 * context.scale);
  const std::string name = part.part.empty() ? "whole model" : part.part;
  const ImVec2 text = ImGui::CalcTextSize(name.c_str());
  const float gap = 4 * context.scale;
  if (text.x + 2 * gap < high.x - low.x && text.y + 2 * gap < high.y - low.y) {
    draw.AddText({low.x + gap, low.y + gap}, IM_COL32_BLACK, name.c_str());
  }
}

void draw_parts(PanelContext& context, const StepScene& scene, ImVec2 size) {
  const ImVec2 origin = ImGui::GetCursorScreenPos();
  ImGui::InvisibleButton("##parts", size);
  const bool hovered = ImGui::IsItemHovered();
  const ImVec2 mouse = ImGui::GetIO().MousePos;
  std::vector<double> sizes;
  for (const PartMemory& part : scene.parts) {
    sizes.push_back(static_cast<double>(part.bytes));
  }
  const std::vector<Area> areas = treemap(sizes, {origin.x, origin.y, size.x, size.y});
  for (std::size_t i = 0; i < areas.size(); ++i) {
    draw_part(context, scene.parts[i], areas[i]);
    const Area& area = areas[i];
    const bool inside = mouse.x >= area.x && mouse.x < area.x + area.width && mouse.y >= area.y &&
                        mouse.y < area.y + area.height;
    if (hovered && inside) {
      tell_of_part(context, scene.parts[i]);
    }
  }
}

void bytes_cell(const std::string& text) {
  ImGui::TableNextColumn();
  align_right(ImGui::CalcTextSize(text.c_str()).x);
  ImGui::TextUnformatted(text.c_str());
}

void draw_row(const PanelContext& context, const PeakRow& row, std::size_t columns) {
  ImGui::TableNextRow();
  ImGui::TableNextColumn();
  ImGui::TextUnformatted(row.name.data());
  if (columns == 3) {
    bytes_cell(bytes_text(row.planned));
  }
  bytes_cell(bytes_text(row.actual));
  if (columns < 4) {
    return;
  }
  bytes_cell(bytes_text(row.other));
  ImGui::TableNextColumn();
  const std::string change = change_of_bytes(row.actual, row.other);
  align_right(ImGui::CalcTextSize(change.c_str()).x);
  colored_text(row.actual == row.other  ? context.theme.muted
               : row.actual > row.other ? context.theme.bad
                                        : context.theme.good,
               change);
}

}  // namespace

const RunRecord* recorded_run(const PanelContext& context, const std::string& run) {
  const auto found = context.store.records.find(run);
  return found == context.store.records.end() ? nullptr : found->second.get();
}

void draw_peak_rows(const PanelContext& context, const std::vector<PeakRow>& rows,
                    const std::vector<const char*>& columns, float width) {
  constexpr ImGuiTableFlags kFlags =
      ImGuiTableFlags_RowBg | ImGuiTableFlags_NoSavedSettings | ImGuiTableFlags_SizingStretchSame;
  if (!ImGui::BeginTable("compared", static_cast<int>(columns.size()), kFlags, {width, 0})) {
    return;
  }
  for (const char* column : columns) {
    ImGui::TableSetupColumn(column);
  }
  ImGui::TableHeadersRow();
  for (const PeakRow& row : rows) {
    draw_row(context, row, columns.size());
  }
  ImGui::EndTable();
}

void draw_step(PanelContext& context, const StepScene& scene,
               const std::function<void(float width)>& beside) {
  const ImVec2 room = ImGui::GetContentRegionAvail();
  const float gap = ImGui::GetStyle().ItemSpacing.x;
  const float left = std::floor(room.x * 0.62f);
  const float upper = std::floor(room.y * 0.52f);
  draw_time_line(context, scene.memory, {left, upper});
  ImGui::SameLine();
  draw_alive(context, scene, {room.x - left - gap, upper});
  const ImVec2 lower = ImGui::GetContentRegionAvail();
  draw_parts(context, scene, {left, lower.y});
  ImGui::SameLine();
  ImGui::BeginGroup();
  beside(room.x - left - gap);
  ImGui::EndGroup();
}

}  // namespace lathe::ui
