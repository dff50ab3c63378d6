// Stacked bands of bytes.
#include "ui/widgets/byte_plots.h"

#include <implot.h>

#include <cstdio>

#include "engine/base/format.h"

namespace lathe::ui {

int bytes_axis(double value, char* out, int size, void*) {
  return std::snprintf(out, static_cast<std::size_t>(size), "%s",
                       bytes_text(static_cast<std::int64_t>(value)).c_str());
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
