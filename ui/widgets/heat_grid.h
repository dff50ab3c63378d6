// A heat map on the screen: coloured cells with names and numbers, the scale of the colours, and
// which cell the mouse is over.
#pragma once

#include <string>

#include "ui/model/heat_map.h"
#include "ui/panels/panel.h"

namespace lathe::ui {

// Places in the list of layers; -1: none.
struct HeatGridPick {
  int hovered = -1;
  int clicked = -1;
};

// As wide as the free space, as high as its rows. `chosen`: the layer that is framed. Its item is
// "##heat".
HeatGridPick heat_grid(PanelContext& context, const HeatMap& map, int chosen);

// The colours from the lowest to the highest value, and what a struck cell means (empty: nothing).
void heat_scale(PanelContext& context, const std::string& low, const std::string& high,
                const std::string& struck);

// Lines over the mouse, the first one as their heading.
void lines_tooltip(const Theme& theme, const std::vector<std::string>& lines);

}  // namespace lathe::ui
