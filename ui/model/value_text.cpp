// Short numbers.
#include "ui/model/value_text.h"

#include <fmt/format.h>

#include <cmath>

#include "engine/base/format.h"
#include "experiments/metrics.h"

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

std::string metric_text(std::string_view metric, double value) {
  const experiments::MetricDef* def = experiments::find_metric(metric);
  const bool in_bytes = metric == "peak" || (def != nullptr && def->unit == "bytes");
  if (std::isnan(value)) {
    return "-";
  }
  if (in_bytes) {
    return bytes_text(static_cast<std::int64_t>(value));
  }
  const bool counts = metric == "model/params" || metric == "perf/tokens_per_s";
  return counts ? count_text(std::round(value)) : value_text(value);
}

}  // namespace lathe::ui
