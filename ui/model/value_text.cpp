// Short numbers.
#include "ui/model/value_text.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/base/format.h"

namespace lathe::ui {

std::string value_text(double value) {
  if (std::isnan(value)) {
    return "-";
  }
  const double size = std::abs(value);
  if (size >= 1e4 && size < 1e5) {
    return fmt::format("{:.0f}", value);
  }
  return size >= 1e5 && size < 1e15 ? count_text(value) : fmt::format("{:.4g}", value);
}

}  // namespace lathe::ui
