// The metrics that exist: declared once, used by plots, columns, CSV heads and comparisons.
#pragma once

#include <array>
#include <span>
#include <string_view>

namespace lathe::experiments {

enum class Better : unsigned char { kLower, kHigher, kNeither };

struct MetricDef {
  std::string_view id;    // "train/loss"
  std::string_view unit;  // "nats/token", "" if none
  Better better = Better::kNeither;
  bool log_scale = false;  // what a plot begins with
  // Compared by replay: decided by spec and seed, not by the clock.
  bool deterministic = true;
  std::string_view help;
};

// Sorted by id.
std::span<const MetricDef> metric_defs();

// nullptr if unknown. Of "velora/cosine:layers.0.mlp.down", a slot's own, that of all.
const MetricDef* find_metric(std::string_view id);

}  // namespace lathe::experiments
