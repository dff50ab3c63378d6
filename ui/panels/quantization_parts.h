// The parts of the Quantization panel, a file each: the choice and its figures, the plots.
#pragma once

#include "ui/panels/panel.h"

namespace lathe::ui {

// A model that was looked at, and the type that is chosen now.
struct QuantScene {
  const ModelFacts& facts;
  const QuantProbe& probe;
  std::size_t option = 0;  // of the probe's
  QuantPlan plan;
  Json choice;  // what the controls say
};

// Layers as coloured cells; a click chooses the one whose weights are drawn.
void draw_quant_map(PanelContext& context, const QuantScene& scene);
// Weights of the chosen layer between the levels of their blocks, and how often each is used.
void draw_levels(PanelContext& context, const QuantScene& scene, ImVec2 size);
// Perplexity over bits of every choice that was measured.
void draw_measured_bits(PanelContext& context, const QuantScene& scene, ImVec2 size);

}  // namespace lathe::ui
