// Comparison of a record with its replay.
#include "experiments/replay.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <set>

#include "experiments/metrics.h"

namespace lathe::experiments {
namespace {

// The first place where the two records part, and how far apart they ever are.
struct Gap {
  std::int64_t first_step = -1;
  std::string first_text;
  bool incomparable = false;  // a point or a digest without a partner, or not finite
  double largest = 0;         // relative
  std::string largest_text;
};

bool same_bits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

double relative_gap(double a, double b) {
  return std::abs(a - b) / std::max(std::abs(a), std::abs(b));
}

void note_difference(Gap& gap, std::int64_t step, std::string text) {
  // Strictly less: at one step, metrics are met in the order of their names.
  if (gap.first_step < 0 || step < gap.first_step) {
    gap.first_step = step;
    gap.first_text = std::move(text);
  }
}

void note_lonely_point(Gap& gap, std::string_view metric, std::int64_t step, double value,
                       std::string_view where) {
  gap.incomparable = true;
  note_difference(
      gap, step,
      fmt::format("{} {:.17g} at step {} is only in the {}", metric, value, step, where));
}

void note_values(Gap& gap, std::string_view metric, std::int64_t step, double a, double b) {
  if (same_bits(a, b)) {
    return;
  }
  const std::string text = fmt::format("{} at step {}: {:.17g} -> {:.17g}", metric, step, a, b);
  note_difference(gap, step, text);
  if (!std::isfinite(a) || !std::isfinite(b)) {
    gap.incomparable = true;
    return;
  }
  const double relative = relative_gap(a, b);
  if (relative > gap.largest) {
    gap.largest = relative;
    gap.largest_text = text;
  }
}

// The steps that are compared. A run that was killed may lack some points of its very last step, so
// there what the replay has more is no difference.
struct Window {
  std::int64_t last = 0;
  std::int64_t complete_until = 0;
};

void compare_series(std::string_view metric, const MetricSeries& a, const MetricSeries& b,
                    const Window& window, Gap& gap) {
  auto left = a.begin();
  auto right = b.begin();
  while (left != a.end() || right != b.end()) {
    const bool only_left = right == b.end() || (left != a.end() && left->first < right->first);
    const bool only_right = left == a.end() || (right != b.end() && right->first < left->first);
    const std::int64_t step = only_right ? right->first : left->first;
    if (step > window.last) {
      return;
    }
    if (only_left) {
      note_lonely_point(gap, metric, step, left->second, "record");
    } else if (only_right && step <= window.complete_until) {
      note_lonely_point(gap, metric, step, right->second, "replay");
    } else if (!only_right) {
      note_values(gap, metric, step, left->second, right->second);
    }
    left += only_right ? 0 : 1;
    right += only_left ? 0 : 1;
  }
}

void compare_metrics(const RecordedRun& original, const RecordedRun& replay, const Window& window,
                     Gap& gap) {
  std::set<std::string> names;
  for (const auto* run : {&original, &replay}) {
    for (const auto& [name, unused] : run->metrics) {
      names.insert(name);
    }
  }
  static const MetricSeries kNone;
  for (const std::string& name : names) {
    const MetricDef* def = find_metric(name);
    if (def == nullptr || !def->deterministic) {
      continue;
    }
    const auto a = original.metrics.find(name);
    const auto b = replay.metrics.find(name);
    compare_series(name, a == original.metrics.end() ? kNone : a->second,
                   b == replay.metrics.end() ? kNone : b->second, window, gap);
  }
}

void compare_digests(const RecordedRun& original, const RecordedRun& replay, const Window& window,
                     bool same_environment, Gap& gap) {
  for (const auto& [step, digest] : original.digests) {
    const auto partner = replay.digests.find(step);
    if (step > window.last) {
      return;
    }
    if (partner == replay.digests.end()) {
      gap.incomparable = true;
      note_difference(
          gap, step,
          fmt::format("the digest of the parameters at step {} is only in the record", step));
    } else if (partner->second != digest) {
      // Where the environment differs, the metrics say how far apart the parameters are.
      gap.incomparable = gap.incomparable || same_environment;
      note_difference(gap, step, fmt::format("the digest of the parameters at step {}", step));
    }
  }
}

// Whether a digest or a deterministic metric was recorded within the window.
bool bears_witness(const RecordedRun& run, const Window& window) {
  const auto within = [&](const auto& point) { return point.first <= window.last; };
  if (std::any_of(run.digests.begin(), run.digests.end(), within)) {
    return true;
  }
  return std::any_of(run.metrics.begin(), run.metrics.end(), [&](const auto& series) {
    const MetricDef* def = find_metric(series.first);
    return def != nullptr && def->deterministic &&
           std::any_of(series.second.begin(), series.second.end(), within);
  });
}

std::string environment_text(const RecordedRun& original, const RecordedRun& replay) {
  std::set<std::string> lines;
  if (!replay.environment.empty()) {
    for (const Json& recorded : original.environment) {
      for (const SpecDifference& difference :
           environment_differences(recorded, replay.environment.back())) {
        lines.insert(fmt::format("{}: {} -> {}", difference.path, difference.a, difference.b));
      }
    }
  }
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? "" : ", ") + line;
  }
  return text;
}

std::optional<std::string> why_not_comparable(const RecordedRun& original,
                                              const RecordedRun& replay, const Window& window) {
  if (original.data_digest != replay.data_digest) {
    return fmt::format("the corpus is another one: its digest was {} and is {}",
                       original.data_digest.empty() ? "not recorded" : original.data_digest,
                       replay.data_digest.empty() ? "unknown" : replay.data_digest);
  }
  if (!bears_witness(original, window)) {
    return fmt::format("the record holds no deterministic metric and no digest up to step {}",
                       window.last);
  }
  return std::nullopt;
}

}  // namespace

std::vector<SpecDifference> environment_differences(const Json& a, const Json& b) {
  std::set<std::string> keys;
  for (const Json* side : {&a, &b}) {
    for (const auto& [key, unused] : side->items()) {
      keys.insert(key);
    }
  }
  const auto text = [](const Json& side, const std::string& key) -> std::string {
    const auto found = side.find(key);
    return found == side.end()  ? "-"
           : found->is_string() ? found->get<std::string>()
                                : json_text(*found);
  };
  std::vector<SpecDifference> differences;
  for (const std::string& key : keys) {
    if (text(a, key) != text(b, key)) {
      differences.push_back({key, text(a, key), text(b, key)});
    }
  }
  return differences;
}

ReplayVerdict compare_runs(const RecordedRun& original, const RecordedRun& replay,
                           const CompareOptions& options) {
  const bool cut = options.to_step > 0 && options.to_step < original.last_step;
  const Window window{.last = cut ? options.to_step : original.last_step,
                      .complete_until = cut ? options.to_step : original.last_step - 1};
  ReplayVerdict verdict;
  verdict.original = original.id;
  verdict.replay = replay.id;
  if (const auto reason = why_not_comparable(original, replay, window)) {
    verdict.verdict = kNotComparable;
    verdict.detail = *reason;
    return verdict;
  }
  const std::string environment = environment_text(original, replay);
  Gap gap;
  compare_metrics(original, replay, window, gap);
  compare_digests(original, replay, window, environment.empty(), gap);
  if (gap.first_step < 0) {
    verdict.verdict = kExact;
    verdict.detail = fmt::format("equal bits up to step {}", window.last);
    return verdict;
  }
  const bool close = !environment.empty() && !gap.incomparable && gap.largest <= options.tolerance;
  verdict.verdict = close ? kWithinTolerance : kDiverged;
  verdict.first_difference = gap.first_step;
  verdict.detail = gap.first_text;
  if (!gap.largest_text.empty()) {
    verdict.detail +=
        fmt::format("; largest relative gap {:.2g}: {}", gap.largest, gap.largest_text);
  }
  verdict.detail +=
      environment.empty() ? "; the environment is the same" : "; environment: " + environment;
  return verdict;
}

}  // namespace lathe::experiments
