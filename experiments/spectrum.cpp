// See spectrum.h.
#include "experiments/spectrum.h"

#include "engine/compress/compress_spec.h"
#include "experiments/settings.h"

namespace lathe::experiments {

Result<RankPlan> plan_ranks(const ModelSpectrum& spectrum, const Json& spec,
                            double bytes_per_param) {
  const auto wanted = from_document<CompressSpec>(spec);
  if (!wanted) {
    return wanted.error();
  }
  auto options = rank_options(*wanted);
  if (!options) {
    return options.error();
  }
  options->relative_error = !spectrum.weighed;
  std::vector<RankLayer> layers;
  for (const SpectrumLayer& layer : spectrum.layers) {
    layers.push_back({.slot = layer.slot,
                      .spectrum = &layer.spectrum,
                      .adds_bias = layer.adds_bias,
                      .importance = layer.importance});
  }
  auto verdicts = choose_ranks(layers, *options);
  if (!verdicts) {
    return verdicts.error();
  }
  RankPlan plan;
  plan.layers = std::move(*verdicts);
  plan.ops_before = plan.ops_after = spectrum.other_ops;
  std::int64_t covered = 0;
  for (const RankVerdict& layer : plan.layers) {
    const auto dense = static_cast<double>(layer.in * layer.out);
    const auto factors = static_cast<double>(layer.rank * (layer.in + layer.out));
    covered += layer.params_before;
    plan.ops_before += 2 * dense;
    plan.ops_after += 2 * (layer.rank > 0 ? factors : dense);
  }
  plan.summary = summarise(plan.layers, spectrum.params - covered, bytes_per_param);
  return plan;
}

}  // namespace lathe::experiments
