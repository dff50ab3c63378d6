// See fake_palettes.h.
#include "tests/ui/fake_palettes.h"

#include <array>
#include <cmath>
#include <memory>
#include <string>

namespace lathe::ui::testing {

namespace ex = lathe::experiments;

namespace {

constexpr std::int64_t kBeginMs = 1795400000000;
constexpr std::int64_t kClusters = 8;

double bell(double x, double middle, double width) {
  return std::exp(-0.5 * std::pow((x - middle) / width, 2)) / width;
}

// Centroids of the least squared error of normal weights, which training spreads out.
PaletteView some_palette(const std::string& slot, std::int64_t weights, double sigma,
                         double progress) {
  constexpr std::array<double, 4> kLevels{0.245, 0.756, 1.344, 2.152};
  constexpr std::array<double, 4> kShares{0.4, 0.3, 0.2, 0.1};
  PaletteView view;
  view.slot = slot;
  view.weights = weights;
  view.clusters = kClusters;
  view.stored_bytes = weights * 3 / 8 + 16;
  view.highest = 3.7 * sigma;
  view.lowest = -3.6 * sigma;
  std::vector<double> shares;
  for (std::size_t j = 0; j < 8; ++j) {
    const std::size_t level = j < 4 ? 3 - j : j - 4;
    const double spread = 1 + 0.25 * progress * kLevels[level];
    view.centroids.push_back(
        static_cast<float>((j < 4 ? -1 : 1) * kLevels[level] * spread * sigma));
    shares.push_back(kShares[level] / 2);
    view.uses.push_back(std::llround(shares.back() * static_cast<double>(weights)));
    view.entropy_bits -= shares.back() * std::log2(shares.back());
  }
  const double bin = (view.highest - view.lowest) / kPaletteBins;
  const double width = sigma * (0.30 - 0.22 * progress);
  for (std::int64_t i = 0; i < kPaletteBins; ++i) {
    const double x = view.lowest + (static_cast<double>(i) + 0.5) * bin;
    double density = (1 - progress) * bell(x, 0, sigma);
    for (std::size_t j = 0; j < shares.size(); ++j) {
      density += progress * shares[j] * bell(x, static_cast<double>(view.centroids[j]), width);
    }
    view.histogram.push_back(std::llround(density * bin / 2.5066 * static_cast<double>(weights)));
  }
  view.distinct = 21000 - static_cast<std::int64_t>(9000 * progress);
  view.soft_hard_distance = 0.21 - 0.15 * progress;
  return view;
}

}  // namespace

std::vector<PaletteView> some_palettes(std::int64_t blocks, double progress) {
  const std::array<const char*, 7> leaves{
      "attention.q", "attention.k", "attention.v", "attention.o", "mlp.gate", "mlp.up", "mlp.down"};
  std::vector<PaletteView> out;
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
      const std::string slot = "layers." + std::to_string(block) + "." + leaves[leaf];
      const double sigma = 0.02 + 0.002 * static_cast<double>(leaf);
      out.push_back(some_palette(slot, leaf < 4 ? 65536 : 176128, sigma, progress));
      out.back().entropy_bits -= 0.03 * static_cast<double>((block * 5 + 3) % 4) * (1 + progress);
      out.back().distinct += 450 * static_cast<std::int64_t>(leaf) - 130 * block;
      out.back().soft_hard_distance *= 1 + 0.04 * static_cast<double>((block + 2) % 3);
    }
  }
  PaletteView& grouped = out.at(0);
  grouped.palettes = 8;
  const PaletteView one = grouped;
  for (std::int64_t copy = 1; copy < kShownPalettes; ++copy) {
    grouped.centroids.insert(grouped.centroids.end(), one.centroids.begin(), one.centroids.end());
    grouped.uses.insert(grouped.uses.end(), one.uses.begin(), one.uses.end());
  }
  PaletteView& idle = out.at(1);
  idle.uses[3] += idle.uses[0] + idle.uses[1] - 20;
  idle.uses[0] = idle.uses[1] = 10;
  idle.entropy_bits -= 0.4;
  return out;
}

void tell_palettes(ex::EventSink& sink, const ex::RunId& run, std::int64_t blocks,
                   std::int64_t steps, std::int64_t every) {
  for (std::int64_t step = 0; step <= steps; step += every) {
    const double progress =
        1 - std::exp(-3.0 * static_cast<double>(step) / static_cast<double>(steps));
    auto views = std::make_shared<std::vector<PaletteView>>(some_palettes(blocks, progress));
    const std::int64_t time = kBeginMs + step * 40;
    ex::MetricBatch batch{run, {}};
    double entropy = 0;
    double distance = 0;
    for (const PaletteView& view : *views) {
      batch.points.push_back({"dkm/entropy:" + view.slot, step, view.entropy_bits, time});
      batch.points.push_back(
          {"dkm/soft_hard_distance:" + view.slot, step, view.soft_hard_distance, time});
      entropy += view.entropy_bits / static_cast<double>(views->size());
      distance += view.soft_hard_distance / static_cast<double>(views->size());
    }
    batch.points.push_back({"dkm/entropy", step, entropy, time});
    batch.points.push_back({"dkm/soft_hard_distance", step, distance, time});
    if (step > 0) {
      batch.points.push_back({"dkm/soft_hard_gap", step, 0.11 * (1.1 - progress), time});
    }
    sink.on_event(batch);
    sink.on_event(ex::PaletteSnapshot{run, step, std::move(views)});
  }
}

}  // namespace lathe::ui::testing
