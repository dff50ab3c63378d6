// What plots of bytes share: their axis, and categories stacked one over the other.
#pragma once

#include <vector>

#include "ui/model/step_memory.h"
#include "ui/theme.h"

namespace lathe::ui {

// For ImPlot::SetupAxisFormat: "1.5 GiB".
int bytes_axis(double value, char* out, int size, void* user);

// Ticks of the y axis at round numbers of binary units, three to six of them from 0 to `most`.
void setup_bytes_ticks(double most);

// Bands in the categories' colours; those without bytes are left out. `x` has a place for each
// number. Within BeginPlot.
void plot_categories(const Theme& theme, const std::vector<double>& x, const CategorySeries& bytes);

}  // namespace lathe::ui
