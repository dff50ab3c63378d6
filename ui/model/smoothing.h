// Smoothing of curves: exponential moving average with the bias correction of Adam (Kingma and Ba,
// 2015, section 3), so that the first points are not drawn towards zero.
#pragma once

#include <vector>

#include "ui/model/series.h"

namespace lathe::ui {

// `weight` in [0, 1): 0 leaves the values alone. Reads `last` of each bucket; a non-finite value is
// passed through and does not enter the average.
std::vector<double> smooth(const std::vector<Bucket>& buckets, double weight);

}  // namespace lathe::ui
