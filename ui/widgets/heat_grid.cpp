// See heat_grid.h.
#include "ui/widgets/heat_grid.h"

#include <imgui.h>
#include <implot.h>

#include <algorithm>
#include <cmath>

#include "ui/widgets/common.h"

namespace lathe::ui {

namespace {

ImU32 color_of(double share) {
  return ImGui::GetColorU32(
      ImPlot::SampleColormap(static_cast<float>(share), ImPlotColormap_Viridis));
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
  bool holds(std::size_t row, std::int64_t column, ImVec2 at) const {
    const ImVec2 from = corner(row, column);
    return at.x >= from.x && at.x < from.x + width && at.y >= from.y && at.y < from.y + height;
  }
};

// What stays as it is has no colour of the scale, but a stroke across the cell.
void draw_struck_cell(PanelContext& context, ImVec2 from, ImVec2 to) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  list.AddRectFilled(from, to, ImGui::GetColorU32(context.theme.raised));
  list.AddLine({from.x, to.y}, {to.x, from.y}, ImGui::GetColorU32(context.theme.muted),
               context.scale);
}

void draw_cells(PanelContext& context, const HeatMap& map, const Grid& grid) {
  ImDrawList& list = *ImGui::GetWindowDrawList();
  const float gap = std::min(1.0f * context.scale, 0.15f * grid.width);
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    for (std::int64_t column = 0; column < map.columns; ++column) {
      const std::size_t cell = map.at(row, column);
      const ImVec2 from = grid.corner(row, column);
      const ImVec2 to{from.x + grid.width - gap, from.y + grid.height - gap};
      if (map.struck[cell]) {
        draw_struck_cell(context, from, to);
      } else if (!std::isnan(map.values[cell])) {
        list.AddRectFilled(from, to, color_of(map.share(map.values[cell])));
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

HeatGridPick picked(PanelContext& context, const HeatMap& map, const Grid& grid, int chosen) {
  HeatGridPick pick;
  const ImVec2 mouse = ImGui::GetMousePos();
  const bool hovered = ImGui::IsItemHovered();
  for (std::size_t row = 0; row < map.rows.size(); ++row) {
    for (std::int64_t column = 0; column < map.columns; ++column) {
      const int layer = map.layers[map.at(row, column)];
      if (layer < 0) {
        continue;
      }
      if (layer == chosen) {
        frame_cell(context.theme.text, grid, row, column, 2 * context.scale);
      }
      if (hovered && grid.holds(row, column, mouse)) {
        frame_cell(context.theme.accent, grid, row, column, 1 * context.scale);
        pick.hovered = layer;
        pick.clicked = ImGui::IsMouseClicked(0) ? layer : -1;
      }
    }
  }
  return pick;
}

}  // namespace

HeatGridPick heat_grid(PanelContext& context, const HeatMap& map, int chosen) {
  float label = 0;
  for (const std::string& row : map.rows) {
    label = std::max(label, ImGui::CalcTextSize(row.c_str()).x);
  }
  const float left = label + 14 * context.scale;
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
  draw_cells(context, map, grid);
  draw_labels(context, map, grid);
  const HeatGridPick pick = picked(context, map, grid, chosen);
  ImGui::Dummy({0, line});
  return pick;
}

void heat_scale(PanelContext& context, const std::string& low, const std::string& high,
                const std::string& struck) {
  const float line = ImGui::GetTextLineHeight();
  const float width = 120 * context.scale;
  ImGui::AlignTextToFramePadding();
  muted_text(context.theme, low);
  ImGui::SameLine();
  const ImVec2 at = ImGui::GetCursorScreenPos();
  const float top = at.y + ImGui::GetStyle().FramePadding.y;
  constexpr int kSteps = 32;
  for (int i = 0; i < kSteps; ++i) {
    const float step = width / kSteps;
    ImGui::GetWindowDrawList()->AddRectFilled({at.x + static_cast<float>(i) * step, top},
                                              {at.x + width, top + line},
                                              color_of((i + 0.5) / kSteps));
  }
  ImGui::Dummy({width, line});
  ImGui::SameLine();
  muted_text(context.theme, high);
  if (struck.empty()) {
    return;
  }
  ImGui::SameLine(0, 20 * context.scale);
  const ImVec2 cell = ImGui::GetCursorScreenPos();
  const float cell_top = cell.y + ImGui::GetStyle().FramePadding.y;
  draw_struck_cell(context, {cell.x, cell_top}, {cell.x + line * 1.4f, cell_top + line});
  ImGui::Dummy({line * 1.4f, line});
  ImGui::SameLine();
  muted_text(context.theme, struck);
}

void lines_tooltip(const Theme& theme, const std::vector<std::string>& lines) {
  ImGui::BeginTooltip();
  ImGui::PushTextWrapPos(ImGui::GetFontSize() * 26);
  bool first = true;
  for (const std::string& line : lines) {
    colored_text(first ? theme.text : theme.muted, line);
    first = false;
  }
  ImGui::PopTextWrapPos();
  ImGui::EndTooltip();
}

}  // namespace lathe::ui
