// See weight_palettes.h.
#include "ui/model/weight_palettes.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "engine/base/format.h"

namespace lathe::ui {
namespace {

constexpr double kIdleShare = 0.1;  // of an even share

std::span<const float> centroids_of(const PaletteView& palette, std::size_t shown) {
  const auto size = static_cast<std::size_t>(palette.clusters * palette.dim);
  const std::size_t place = std::min(shown, palettes_shown(palette) - 1);
  return std::span(palette.centroids).subspan(place * size, size);
}

std::span<const std::int64_t> uses_of(const PaletteView& palette, std::size_t shown) {
  const auto size = static_cast<std::size_t>(palette.clusters);
  const std::size_t place = std::min(shown, palettes_shown(palette) - 1);
  return std::span(palette.uses).subspan(place * size, size);
}

}  // namespace

void add_snapshot(std::vector<PaletteSnapshot>& snapshots, PaletteSnapshot snapshot,
                  std::size_t most) {
  std::erase_if(snapshots, [&](const PaletteSnapshot& one) { return one.step >= snapshot.step; });
  snapshots.push_back(std::move(snapshot));
  if (snapshots.size() <= most) {
    return;
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    if (i % 2 == 0 || i + 1 == snapshots.size()) {
      snapshots[kept++] = snapshots[i];
    }
  }
  snapshots.resize(kept);
}

const PaletteSnapshot& snapshot_at(const std::vector<PaletteSnapshot>& snapshots, double step) {
  const auto after = std::upper_bound(
      snapshots.begin(), snapshots.end(), step,
      [](double value, const auto& one) { return value < static_cast<double>(one.step); });
  return after == snapshots.begin() ? *after : *(after - 1);
}

double code_bits(const PaletteView& palette) {
  const auto bits = std::bit_width(static_cast<std::uint64_t>(palette.clusters - 1));
  return static_cast<double>(bits) / static_cast<double>(palette.dim);
}

double palette_number(const std::vector<PaletteView>& palettes, std::size_t place,
                      PaletteColumn column) {
  const PaletteView& palette = palettes[place];
  switch (column) {
    case PaletteColumn::kSlot:
      return static_cast<double>(place);
    case PaletteColumn::kBits:
      return code_bits(palette);
    case PaletteColumn::kDistinct:
      return static_cast<double>(palette.distinct);
    case PaletteColumn::kEntropy:
      return palette.entropy_bits;
    case PaletteColumn::kDistance:
      return palette.soft_hard_distance;
    case PaletteColumn::kBytes:
      return static_cast<double>(palette.stored_bytes);
  }
  return 0;
}

std::string palette_text(const PaletteView& palette, PaletteColumn column) {
  switch (column) {
    case PaletteColumn::kSlot:
      return palette.slot;
    case PaletteColumn::kBits:
      return fmt::format("{:g}", code_bits(palette));
    case PaletteColumn::kDistinct:
      return count_text(static_cast<double>(palette.distinct));
    case PaletteColumn::kEntropy:
      return fmt::format("{:.2f}", palette.entropy_bits);
    case PaletteColumn::kDistance:
      return fmt::format("{:.1f} %", 100 * palette.soft_hard_distance);
    case PaletteColumn::kBytes:
      return bytes_text(palette.stored_bytes);
  }
  return "";
}

std::vector<std::size_t> sorted_palettes(const std::vector<PaletteView>& palettes,
                                         PaletteColumn column, bool descending) {
  std::vector<std::size_t> places(palettes.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::stable_sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
    const double left = palette_number(palettes, a, column);
    const double right = palette_number(palettes, b, column);
    return descending ? left > right : left < right;
  });
  return places;
}

PaletteTotals palette_totals(const std::vector<PaletteView>& palettes) {
  PaletteTotals totals;
  const auto count = static_cast<double>(palettes.size());
  for (const PaletteView& palette : palettes) {
    totals.weights += static_cast<double>(palette.weights);
    totals.stored_bytes += static_cast<double>(palette.stored_bytes);
    totals.code_bits += code_bits(palette) / count;
    totals.full_bits += std::log2(static_cast<double>(palette.clusters)) / count;
    totals.entropy_bits += palette.entropy_bits / count;
    totals.distinct += static_cast<double>(palette.distinct) / count;
    totals.distance += palette.soft_hard_distance / count;
  }
  return totals;
}

std::size_t palettes_shown(const PaletteView& palette) {
  return static_cast<std::size_t>(std::min(palette.palettes, kShownPalettes));
}

PaletteCurves palette_curves(const PaletteView& palette, std::size_t shown) {
  PaletteCurves curves;
  curves.bin_width =
      (palette.highest - palette.lowest) / static_cast<double>(palette.histogram.size());
  for (std::size_t bin = 0; bin < palette.histogram.size(); ++bin) {
    curves.places.push_back(palette.lowest + (static_cast<double>(bin) + 0.5) * curves.bin_width);
    curves.weights.push_back(static_cast<double>(palette.histogram[bin]) /
                             static_cast<double>(palette.weights));
  }
  const auto centroids = centroids_of(palette, shown);
  const auto uses = uses_of(palette, shown);
  const auto codes = static_cast<double>(std::accumulate(uses.begin(), uses.end(), 0LL));
  std::vector<std::pair<double, double>> marks;
  for (std::size_t at = 0; at < centroids.size(); ++at) {
    const auto used = static_cast<double>(uses[at / static_cast<std::size_t>(palette.dim)]);
    marks.emplace_back(static_cast<double>(centroids[at]), used / codes);
  }
  std::sort(marks.begin(), marks.end());
  for (const auto& [centroid, share] : marks) {
    curves.centroids.push_back(centroid);
    curves.uses.push_back(share);
  }
  const double idle = kIdleShare * codes / static_cast<double>(palette.clusters);
  curves.idle =
      static_cast<std::size_t>(std::count_if(uses.begin(), uses.end(), [&](std::int64_t used) {
        return static_cast<double>(used) < idle;
      }));
  return curves;
}

CentroidTrails centroid_trails(const std::vector<PaletteSnapshot>& snapshots,
                               const std::string& slot, std::size_t shown) {
  CentroidTrails trails;
  for (const PaletteSnapshot& snapshot : snapshots) {
    const auto found = std::find_if(snapshot.palettes->begin(), snapshot.palettes->end(),
                                    [&](const PaletteView& one) { return one.slot == slot; });
    if (found == snapshot.palettes->end()) {
      continue;
    }
    const auto centroids = centroids_of(*found, shown);
    trails.values.resize(centroids.size());
    trails.steps.push_back(static_cast<double>(snapshot.step));
    for (std::size_t at = 0; at < centroids.size(); ++at) {
      trails.values[at].push_back(static_cast<double>(centroids[at]));
    }
  }
  return trails;
}

std::size_t chosen_palette(const PaletteForm& form, const std::vector<PaletteView>& palettes) {
  const auto found =
      std::find_if(palettes.begin(), palettes.end(),
                   [&](const PaletteView& palette) { return palette.slot == form.slot; });
  return found == palettes.end() ? 0 : static_cast<std::size_t>(found - palettes.begin());
}

}  // namespace lathe::ui
