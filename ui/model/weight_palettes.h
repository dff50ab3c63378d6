// What the Palettes panel shows of a run with DKM, without ImGui: which snapshot, the list of
// matrices, a matrix's weights between its centroids, and where those went.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "experiments/events.h"

namespace lathe::ui {

using experiments::PaletteSnapshot;

// Adds one that was taken now: what there is of its step and later ones was of an earlier attempt.
// Beyond `most` every second goes, but for the first and the last.
void add_snapshot(std::vector<PaletteSnapshot>& snapshots, PaletteSnapshot snapshot,
                  std::size_t most);

// The last one not after a step; the first where there is none. Precondition: not empty.
const PaletteSnapshot& snapshot_at(const std::vector<PaletteSnapshot>& snapshots, double step);

// What the list has of a matrix, and can be sorted by.
enum class PaletteColumn : std::uint8_t { kSlot, kBits, kDistinct, kEntropy, kDistance, kBytes };
inline constexpr std::size_t kPaletteColumns = 6;
// The slot's place in the list as it came.
double palette_number(const std::vector<PaletteView>& palettes, std::size_t place,
                      PaletteColumn column);
std::string palette_text(const PaletteView& palette, PaletteColumn column);
// Places of the matrices; those that are equal stay in order.
std::vector<std::size_t> sorted_palettes(const std::vector<PaletteView>& palettes,
                                         PaletteColumn column, bool descending);

// Bits that tell a palette's centroids apart, of each weight: a code's, shared by its neighbours.
double code_bits(const PaletteView& palette);

// Of all matrices of a snapshot.
struct PaletteTotals {
  double weights = 0;
  double stored_bytes = 0;
  double code_bits = 0;  // and below: means of the matrices
  double full_bits = 0;  // the most that the entropy can be
  double entropy_bits = 0;
  double distinct = 0;
  double distance = 0;
};
// Precondition: not empty.
PaletteTotals palette_totals(const std::vector<PaletteView>& palettes);

// Weights of a matrix, and one of its palettes; shares are of all weights and of all codes.
struct PaletteCurves {
  std::vector<double> places;   // middles of the bins
  std::vector<double> weights;  // in each
  double bin_width = 0;
  // Numbers of centroids in rising order; of vectors each of their numbers is one.
  std::vector<double> centroids;
  std::vector<double> uses;  // of the code that it belongs to
  std::size_t idle = 0;      // codes used less than a tenth as much as they would be all alike
};
PaletteCurves palette_curves(const PaletteView& palette, std::size_t shown);
// How many palettes of a matrix are kept in snapshots.
std::size_t palettes_shown(const PaletteView& palette);

// A line for each number of each centroid over the steps of the snapshots that have the matrix.
struct CentroidTrails {
  std::vector<double> steps;
  std::vector<std::vector<double>> values;  // as many as there are steps, each
};
CentroidTrails centroid_trails(const std::vector<PaletteSnapshot>& snapshots,
                               const std::string& slot, std::size_t shown);

// Between frames.
struct PaletteForm {
  std::string slot;       // the matrix that is drawn; the first where there is none of the name
  std::size_t shown = 0;  // of its palettes
};
// Its place. Precondition: not empty.
std::size_t chosen_palette(const PaletteForm& form, const std::vector<PaletteView>& palettes);

}  // namespace lathe::ui
