// What the Palettes panel is made of.
#pragma once

#include <vector>

#include "ui/model/weight_palettes.h"
#include "ui/panels/panel.h"

namespace lathe::ui {

// A run's snapshots, the one that is shown, and the matrix of it that is drawn.
struct PaletteScene {
  const std::vector<PaletteSnapshot>& snapshots;
  const PaletteSnapshot& now;
  const PaletteView& palette;
  std::size_t shown = 0;  // of the matrix's palettes
};

// Weights of the matrix between the centroids, and how much each is used.
void draw_palette_weights(PanelContext& context, const PaletteScene& scene, ImVec2 size);
// Where the centroids went.
void draw_palette_trails(PanelContext& context, const PaletteScene& scene, ImVec2 size);
// A figure of the matrix over steps, and the mean of all matrices. `most` is drawn as a level where
// it is above 0.
struct PaletteCourse {
  const char* title;
  const char* metric;
  const char* help;
  double most = 0;
};
void draw_palette_course(PanelContext& context, const PaletteScene& scene,
                         const PaletteCourse& course, ImVec2 size);

}  // namespace lathe::ui
