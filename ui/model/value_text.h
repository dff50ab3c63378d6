// A metric's value as the window writes it (bytes, counts and times: engine/base/format.h).
#pragma once

#include <string>

namespace lathe::ui {

// Four significant digits, "1.25 M" beyond 100 000, "-" for NaN.
std::string value_text(double value);

}  // namespace lathe::ui
