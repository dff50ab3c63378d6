// What a choice of ranks would come to: the spectra are there, so an answer takes milliseconds.
#pragma once

#include <memory>

#include "experiments/spectrum.h"
#include "ui/model/preview.h"

namespace lathe::ui {

struct RankQuestion {
  std::shared_ptr<const experiments::ModelSpectrum> spectrum;
  Json spec;  // a CompressSpec document
  bool operator==(const RankQuestion& other) const = default;
};

// Precondition of its questions: they have a spectrum.
using RankPreview = Preview<RankQuestion, experiments::RankPlan>;

}  // namespace lathe::ui
