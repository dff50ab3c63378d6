// See palette_snapshots.h.
#include "storage/palette_snapshots.h"

#include <algorithm>
#include <bit>
#include <span>

#include "engine/base/json.h"
#include "storage/columns.h"

namespace lathe::storage {
namespace {

using experiments::PaletteSnapshot;

constexpr std::int64_t kMostClusters = 256;
constexpr std::int64_t kMostDim = 4;

SqlFailure damaged_snapshot(const std::string& file) {
  return SqlFailure({ErrorKind::kStore,
                     "a snapshot of palettes in the store " + file + " is damaged",
                     "record it again by replaying the run"});
}

Json figures_of(const PaletteView& view) {
  return {view.slot,     view.weights,      view.clusters,          view.dim,
          view.palettes, view.stored_bytes, view.distinct,          view.lowest,
          view.highest,  view.entropy_bits, view.soft_hard_distance};
}

// How many codes the palettes shown have.
std::int64_t shown_codes(const PaletteView& view) {
  return std::min(view.palettes, kShownPalettes) * view.clusters;
}

// Throws Json::exception or std::out_of_range on a document of another shape.
PaletteView view_of(const Json& figures) {
  PaletteView view;
  view.slot = figures.at(0).get<std::string>();
  view.weights = figures.at(1).get<std::int64_t>();
  view.clusters = figures.at(2).get<std::int64_t>();
  view.dim = figures.at(3).get<std::int64_t>();
  view.palettes = figures.at(4).get<std::int64_t>();
  view.stored_bytes = figures.at(5).get<std::int64_t>();
  view.distinct = figures.at(6).get<std::int64_t>();
  view.lowest = figures.at(7).get<double>();
  view.highest = figures.at(8).get<double>();
  view.entropy_bits = figures.at(9).get<double>();
  view.soft_hard_distance = figures.at(10).get<double>();
  if (view.weights < 1 || view.lowest > view.highest || view.clusters < 1 ||
      view.clusters > kMostClusters || view.dim < 1 || view.dim > kMostDim || view.palettes < 1) {
    throw std::out_of_range("palette");
  }
  return view;
}

std::span<const std::uint64_t> taken(const Columns& columns, std::size_t& from,
                                     std::int64_t count) {
  const auto size = static_cast<std::size_t>(count);
  if (columns[0].size() - from < size) {
    throw std::out_of_range("numbers");
  }
  const auto part = std::span(columns[0]).subspan(from, size);
  from += size;
  return part;
}

Columns columns_of(std::span<const std::byte> blob, std::int64_t rows) {
  Result<Columns> columns = decode_columns(blob, 1, rows);
  if (!columns) {
    throw SqlFailure(columns.error());
  }
  return std::move(*columns);
}

// As it lies in the table.
struct StoredSnapshot {
  std::int64_t step = 0;
  std::string palettes;
  Bytes histograms;
  Bytes centroids;
};

std::vector<PaletteView> views_of(const StoredSnapshot& stored) {
  std::vector<PaletteView> views;
  std::int64_t codes = 0;
  std::int64_t numbers = 0;
  for (const Json& figures : Json::parse(stored.palettes)) {
    views.push_back(view_of(figures));
    codes += kPaletteBins + shown_codes(views.back());
    numbers += shown_codes(views.back()) * views.back().dim;
  }
  const Columns histograms = columns_of(stored.histograms, codes);
  const Columns centroids = columns_of(stored.centroids, numbers);
  std::size_t code = 0;
  std::size_t number = 0;
  for (PaletteView& view : views) {
    const auto bins = taken(histograms, code, kPaletteBins);
    view.histogram.assign(bins.begin(), bins.end());
    const auto uses = taken(histograms, code, shown_codes(view));
    view.uses.assign(uses.begin(), uses.end());
    for (const std::uint64_t bits : taken(centroids, number, shown_codes(view) * view.dim)) {
      view.centroids.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
    }
  }
  return views;
}

}  // namespace

void store_palette_snapshot(Connection& connection, std::int64_t run,
                            const PaletteSnapshot& snapshot) {
  Json figures = Json::array();
  Columns histograms(1);
  Columns centroids(1);
  for (const PaletteView& view : *snapshot.palettes) {
    figures.push_back(figures_of(view));
    histograms[0].insert(histograms[0].end(), view.histogram.begin(), view.histogram.end());
    histograms[0].insert(histograms[0].end(), view.uses.begin(), view.uses.end());
    for (const float centroid : view.centroids) {
      centroids[0].push_back(std::bit_cast<std::uint32_t>(centroid));
    }
  }
  const Bytes packed_histograms = encode_columns(histograms);
  const Bytes packed_centroids = encode_columns(centroids);
  connection.run(
      "INSERT INTO palette_snapshots (run, step, palettes, histograms, centroids) "
      "VALUES (?, ?, ?, ?, ?) ON CONFLICT (run, step) DO UPDATE SET palettes = excluded.palettes, "
      "histograms = excluded.histograms, centroids = excluded.centroids",
      {run, snapshot.step, json_text(figures), std::span<const std::byte>(packed_histograms),
       std::span<const std::byte>(packed_centroids)});
}

std::vector<PaletteSnapshot> load_palette_snapshots(Connection& connection, std::int64_t run,
                                                    std::int64_t after_step) {
  Statement& row = connection.prepare(
      "SELECT step, palettes, histograms, centroids FROM palette_snapshots "
      "WHERE run = ? AND step > ? ORDER BY step",
      {run, after_step});
  const auto bytes = [](std::span<const std::byte> blob) {
    return Bytes(blob.begin(), blob.end());
  };
  std::vector<StoredSnapshot> rows;
  while (row.step()) {
    rows.push_back({row.integer(0), row.text(1), bytes(row.blob(2)), bytes(row.blob(3))});
  }
  row.reset();
  std::vector<PaletteSnapshot> snapshots;
  try {
    for (const StoredSnapshot& stored : rows) {
      snapshots.push_back(
          {{}, stored.step, std::make_shared<const std::vector<PaletteView>>(views_of(stored))});
    }
  } catch (const Json::exception&) {
    throw damaged_snapshot(connection.file());
  } catch (const std::out_of_range&) {
    throw damaged_snapshot(connection.file());
  }
  return snapshots;
}

}  // namespace lathe::storage
