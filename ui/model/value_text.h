// A metric's value as the window writes it (bytes, counts and times: engine/base/format.h).
#pragma once

#include <string>
#include <string_view>

namespace lathe::ui {

// Four significant digits, "1.25 M" beyond 100 000, "-" for NaN.
std::string value_text(double value);

// The same, but bytes and counts with their prefixes. `metric`: the id of one, or "peak".
std::string metric_text(std::string_view metric, double value);

}  // namespace lathe::ui
