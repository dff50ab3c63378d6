// Models as the engine would tell the window of them: what a file says, a decomposition, roundings.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "experiments/model_events.h"

namespace lathe::ui::testing {

// What a file says of a small model.
experiments::ModelFacts some_model(const std::string& model);

// A decomposition of it: `blocks` blocks of 7 layers, whose spectra fall faster in later blocks.
std::shared_ptr<const experiments::ModelSpectrum> some_spectrum(const std::string& model,
                                                                std::int64_t blocks);

// A look at its roundings: as many layers, rows of 64 weights but for "down", whose 96 are no whole
// groups of 64. The error of int halves with each bit, and grows with the block and the group.
std::shared_ptr<const experiments::QuantProbe> some_probe(const std::string& model,
                                                          std::int64_t blocks);

}  // namespace lathe::ui::testing
