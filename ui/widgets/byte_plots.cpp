// Stacked bands of bytes.
#include "ui/widgets/byte_plots.h"

#include <implot.h>

#include <cstdio>
#include <vector>

#include "engine/base/format.h"

namespace lathe::ui {

int bytes_axis(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%s",
                       bytes_text(static_cast<std::int64_t>(value)).c_str());
}

void setup_bytes_ticks(double most) {
  double step = 1;
  while (most / step > 6) {
    step *= 2;
  }
  std::vector<double> ticks;
  for (double tick = 0; tick <= most + step; tick += step) {
    ticks.push_back(tick);
  }
  ImPlot::SetupAxisTicks(ImAxis_Y1, ticks.data(), static_cast<int>(ticks.size()));
}

void plot_categories(const Theme& theme, const std::vector<double>& x,
                     const CategorySeries& bytes) {
  std::vector<double> low(x.size(), 0.0);
  for (std::size_t category = 0; category < kCategoryCount; ++category) {
    std::vector<double> high = low;
    bool any = false;
    for (std::size_t i = 0; i < high.size(); ++i) {
      high[i] += bytes[category][i];
      any = any || bytes[category][i] > 0;
    }
    if (any) {
      ImPlotSpec spec;
      spec.FillColor = theme.categories[category];
      spec.FillAlpha = 0.78f;
      spec.LineColor = theme.categories[category];
      ImPlot::PlotShaded(kCategoryNames[category].data(), x.data(), low.data(), high.data(),
                         static_cast<int>(high.size()), spec);
    }
    low = std::move(high);
  }
}

}  // namespace lathe::ui
