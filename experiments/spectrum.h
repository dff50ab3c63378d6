// What a decomposition knows of a model, apart from the factors: plain data that any thread may
// keep, and from which each choice of ranks is told in milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/methods/lord/ranks.h"

namespace lathe::experiments {

struct SpectrumLayer {
  LinearPlan slot;  // of the dense layer
  LayerSpectrum spectrum;
  bool adds_bias = false;  // factors give it a bias that it had not
  double importance = 1;   // of its error, where budgets are spent
};

struct ModelSpectrum {
  std::string model;                  // as it was asked for
  Json spec;                          // the CompressSpec of the look
  std::vector<SpectrumLayer> layers;  // in the order of the model's slots
  std::vector<std::string> notes;     // what had to be floored
  std::int64_t blocks = 0;
  std::int64_t params = 0;  // of the whole model
  bool weighed = false;     // by how much the loss minds an error; else by each layer's energy
  // Of one token in the matrices that are not among the layers, the head included: two for each
  // weight. What attention computes between tokens is in no count here.
  double other_ops = 0;
  double look_secs = 0;
};

// A choice of ranks and what it comes to.
struct RankPlan {
  std::vector<RankVerdict> layers;  // as in the spectrum
  RankSummary summary;
  double ops_before = 0;  // per token, in the matrices
  double ops_after = 0;
};

// `spec`: a CompressSpec document; its rule, multiple and floors are read. kUsage for what makes no
// sense, or a budget that the least ranks exceed. Exact: a model of these ranks is so large.
Result<RankPlan> plan_ranks(const ModelSpectrum& spectrum, const Json& spec,
                            double bytes_per_param);

}  // namespace lathe::experiments
