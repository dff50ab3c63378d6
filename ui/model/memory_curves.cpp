// See memory_curves.h.
#include "ui/model/memory_curves.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace lathe::ui {
namespace {

using experiments::MemorySample;

constexpr std::array<std::string_view, kMemoryCurves> kNames{"ledger", "reserve", "device"};

}  // namespace

const LedgerSnapshot& snapshot_of(const MemorySample& sample, MemoryView view) {
  return view == MemoryView::kPeak ? sample.peak : sample.live;
}

std::vector<MemorySample> thinned(std::span<const MemorySample> samples, std::size_t most) {
  const std::size_t limit = std::max<std::size_t>(most, 1);
  const std::size_t width = std::max<std::size_t>(1, (samples.size() + limit - 1) / limit);
  std::vector<MemorySample> out;
  for (std::size_t i = 0; i < samples.size(); i += width) {
    const auto group = samples.subspan(i, std::min(width, samples.size() - i));
    out.push_back(*std::ranges::max_element(
        group, {}, [](const MemorySample& sample) { return sample.peak.live_bytes; }));
  }
  return out;
}

std::vector<MemoryCurve> memory_curves(std::span<const MemorySample> samples, MemoryView view) {
  constexpr double kUntold = std::numeric_limits<double>::quiet_NaN();
  std::vector<MemoryCurve> curves;
  for (std::size_t kind = 0; kind < kMemoryCurves; ++kind) {
    curves.push_back({.name = kNames[kind], .kind = kind, .bytes = {}});
  }
  for (const MemorySample& sample : samples) {
    curves[0].bytes.push_back(static_cast<double>(snapshot_of(sample, view).live_bytes));
    curves[1].bytes.push_back(sample.pool_bytes > 0 ? static_cast<double>(sample.pool_bytes)
                                                    : kUntold);
    curves[2].bytes.push_back(
        sample.device_used_bytes ? static_cast<double>(*sample.device_used_bytes) : kUntold);
  }
  std::erase_if(curves, [](const MemoryCurve& curve) {
    return std::ranges::all_of(curve.bytes, [](double bytes) { return std::isnan(bytes); });
  });
  return curves;
}

std::int64_t highest_bytes(std::span<const MemorySample> samples) {
  std::int64_t out = 1;
  for (const MemorySample& sample : samples) {
    out = std::max({out, sample.peak.live_bytes, sample.live.live_bytes, sample.pool_bytes,
                    sample.device_used_bytes.value_or(0)});
  }
  return out;
}

}  // namespace lathe::ui
