// See loftq_slots.h.
#include "engine/compress/loftq_slots.h"

#include <omp.h>

#include <algorithm>
#include <map>

namespace lathe {
namespace {

Result<std::vector<const LinearPlan*>> wanted_slots(const ModelFile& model, StoredType type,
                                                    std::int64_t rank,
                                                    std::span<const LayerType> types) {
  std::vector<const LinearPlan*> slots;
  for (const LinearPlan& plan : model.plans()) {
    const auto kind = layer_type(plan.name);
    if (!kind || std::find(types.begin(), types.end(), *kind) == types.end()) {
      continue;
    }
    if (plan.storage == LinearStorage::kLowRank) {
      return Error{ErrorKind::kUsage,
                   plan.name + " is two factors, beside which LoftQ's adapters have no place",
                   "leave quant.loftq_rank out, or decompose nothing (decompose=false)"};
    }
    if (rank > std::min(plan.out, plan.in)) {
      return Error{ErrorKind::kUsage,
                   "quant.loftq_rank=" + std::to_string(rank) + " is above " +
                       std::to_string(std::min(plan.out, plan.in)) + ", the smaller side of " +
                       plan.name,
                   "choose a lower rank"};
    }
    if (const Result<void> fits = check_fits(plan.name + ".weight", {plan.out, plan.in}, type);
        !fits) {
      return fits.error();
    }
    slots.push_back(&plan);
  }
  return slots;
}

}  // namespace

Result<LoftqModel> loftq_slots(const ModelFile& model, StoredType type, const LoftqOptions& options,
                               std::span<const LayerType> types, const CompressProgress& progress) {
  const auto slots = wanted_slots(model, type, options.rank, types);
  if (!slots) {
    return slots.error();
  }
  const std::size_t count = slots->size();
  std::vector<LoftqWeight> made(count);
  const auto together = static_cast<std::size_t>(omp_get_num_procs());
  for (std::size_t first = 0; first < count; first += together) {
    const double share = static_cast<double>(first) / static_cast<double>(count);
    if (progress && !progress(share, "rounding " + (*slots)[first]->name)) {
      return Error{ErrorKind::kInterrupted, "stopped", "nothing was written"};
    }
#pragma omp parallel for num_threads(omp_get_num_procs()) schedule(dynamic, 1)
    for (std::size_t i = first; i < std::min(first + together, count); ++i) {
      const LinearPlan& plan = *(*slots)[i];
      made[i] = round_loftq(type, model.floats(plan.name + ".weight"), plan.out, plan.in, options);
    }
  }
  std::map<std::string, StoredValues> stored;
  std::vector<StoredLayer> layers;
  std::vector<StoredAdapter> adapters;
  for (std::size_t i = 0; i < count; ++i) {
    const LinearPlan& plan = *(*slots)[i];
    LoftqWeight& weight = made[i];
    const std::string name = plan.name + ".weight";
    const RoundedWeight& rounded = weight.rounded;
    layers.push_back({.name = name,
                      .out = plan.out,
                      .in = plan.in,
                      .bytes = static_cast<std::int64_t>(rounded.stored.size()),
                      .error_share = rounded.energy > 0 ? rounded.error / rounded.energy : 0});
    adapters.push_back({.slot = plan.name,
                        .plan = {.rank = options.rank, .scale = 1.0},
                        .a = std::move(weight.factors.a),
                        .b = std::move(weight.factors.b)});
    stored[name] = {type, std::move(weight.rounded.stored)};
  }
  return LoftqModel{{ModelFile::with_stored(model, std::move(stored)), std::move(layers)},
                    std::move(adapters)};
}

}  // namespace lathe
