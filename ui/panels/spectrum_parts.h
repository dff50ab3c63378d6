// The parts of the Spectrum panel, a file each: the form of the look, what a choice of ranks comes
// to, the plots.
#pragma once

#include "ui/panels/panel.h"

namespace lathe::ui {

// A model that was decomposed, and the ranks that are chosen now.
struct SpectrumScene {
  const ModelFacts& facts;
  const ModelSpectrum& spectrum;
  Json choice;                        // what the controls say
  const experiments::RankPlan* plan;  // of the last choice that could be made; null before one
};

// What the look shall be, its button, and how far it is.
void draw_spectrum_look(PanelContext& context, const ModelFacts& facts);

// Layers as coloured cells; a click chooses the one whose singular values are drawn.
void draw_heat_map(PanelContext& context, const SpectrumScene& scene);
// Singular values of the chosen layer with its rank.
void draw_singular_values(PanelContext& context, const SpectrumScene& scene, ImVec2 size);
// Perplexity over parameters of every choice that was measured.
void draw_measured_points(PanelContext& context, const SpectrumScene& scene, ImVec2 size);

}  // namespace lathe::ui
