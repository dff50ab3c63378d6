// See palette_steps.h.
#include "engine/train/palette_steps.h"

#include <algorithm>

namespace lathe {

bool PaletteSteps::begins_after(std::int64_t steps_done) const {
  return std::any_of(palettes_.begin(), palettes_.end(), [&](const Linear::Palettised& one) {
    return one.palette->begins_after(steps_done);
  });
}

Result<void> PaletteSteps::begin(std::int64_t steps_done) {
  for (const auto& [weight, palette] : palettes_) {
    if (palette->begins_after(steps_done)) {
      if (const Result<void> begun = palette->begin(*weight); !begun) {
        return begun;
      }
    }
  }
  return {};
}

bool PaletteSteps::begun() const {
  return std::any_of(palettes_.begin(), palettes_.end(),
                     [](const Linear::Palettised& one) { return one.palette->begun(); });
}

void PaletteSteps::read_soft(bool soft) const {
  for (const auto& one : palettes_) {
    one.palette->set_soft(soft);
  }
}

void PaletteSteps::finish() const {
  for (const auto& [weight, palette] : palettes_) {
    palette->finish(*weight);
  }
}

void PaletteSteps::forget() const {
  for (const auto& one : palettes_) {
    one.palette->forget();
  }
}

std::int64_t PaletteSteps::saved_bytes(const std::vector<Parameter*>& parameters) const {
  std::int64_t saved = 0;
  for (const auto& [weight, palette] : palettes_) {
    saved += weight->weight.ref().bytes() - palette->stored_bytes();
  }
  const bool tables =
      std::any_of(palettes_.begin(), palettes_.end(),
                  [](const Linear::Palettised& one) { return one.palette->plan().tables; });
  for (const Parameter* parameter : parameters) {
    if (tables && is_stored_table(parameter->name)) {
      saved += parameter->weight.ref().bytes() -
               packed_palette_bytes(parameter->shape[0], parameter->shape[1], kTablePalette);
    }
  }
  return saved;
}

std::vector<PaletteView> PaletteSteps::view(Backend& backend) const {
  std::vector<PaletteView> views;
  for (const auto& [weight, palette] : palettes_) {
    if (palette->begun()) {
      views.push_back(view_palette(backend, *palette, *weight));
    }
  }
  return views;
}

void PaletteSteps::filled() const {
  for (const auto& one : palettes_) {
    one.palette->filled();
  }
}

}  // namespace lathe
