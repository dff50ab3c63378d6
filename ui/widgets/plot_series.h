// One run's curve in an ImPlot plot: decimated to pixel columns, optionally smoothed over a faint
// trace of what was measured.
#pragma once

#include <imgui.h>

#include <functional>
#include <string>
#include <vector>

#include "ui/model/series.h"

namespace lathe::ui {

struct CurveStyle {
  ImVec4 color;
  float weight = 1.6f;
  float smoothing = 0;
  double x_factor = 1;  // steps times this is what the x axis shows
};

// Draws between two x values (of the axis); all of the curve if `to` is not above `from`. `columns`
// is the plot's width in pixels. Within BeginPlot.
void plot_curve(const std::string& id, const Series& series, const CurveStyle& style, double from,
                double to, std::size_t columns);

}  // namespace lathe::ui
