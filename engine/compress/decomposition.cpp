// Calibration and fits, block by block.
#include "engine/compress/decomposition.h"

#include <algorithm>
#include <map>
#include <optional>

#include "engine/compress/block_statistics.h"

namespace lathe {
namespace {

// Shares of a block's time, for the progress: looking at its inputs, the rest goes into the fits.
constexpr double kLookingShare = 0.7;

// Where the calibration stands, for whoever watches.
class Watch {
 public:
  Watch(const CompressProgress& progress, std::int64_t layers)
      : progress_(progress), layers_(static_cast<double>(layers)) {}

  Result<void> at(std::int64_t block, double within, const std::string& what) const {
    const double share = (static_cast<double>(block) + within) / layers_;
    if (progress_ && !progress_(share, what + " layers." + std::to_string(block))) {
      return Error{ErrorKind::kInterrupted, "stopped", "nothing was written"};
    }
    return {};
  }

 private:
  const CompressProgress& progress_;
  double layers_;
};

// The slots of block `block` that are to be solved, by place in the model's list.
std::vector<std::size_t> slots_of_block(const ModelFile& model, std::int64_t block,
                                        std::span<const LayerType> types) {
  const std::int64_t per_block = model.config().slots_per_block();
  std::vector<std::size_t> slots;
  for (std::int64_t i = block * per_block; i < (block + 1) * per_block; ++i) {
    const auto slot = static_cast<std::size_t>(i);
    const auto type = layer_type(model.plans()[slot].name);
    if (type && std::find(types.begin(), types.end(), *type) != types.end()) {
      slots.push_back(slot);
    }
  }
  return slots;
}

// Of those inputs of a block that the slots read.
using CrossOfInputs = std::array<std::optional<CrossStatistics>, kBlockInputs>;

CrossOfInputs cross_statistics_for(const ModelFile& model, std::span<const std::size_t> slots) {
  CrossOfInputs all;
  for (const std::size_t slot : slots) {
    auto& statistics = all[input_of(model, slot)];
    if (!statistics) {
      statistics.emplace(model.plans()[slot].in);
    }
  }
  return all;
}

// Says of a row that is not finite which text made it.
Error placed(const Error& error, const HiddenStates& hidden, std::int64_t block,
             std::int64_t portion, std::size_t input) {
  return {error.kind,
          "layers." + std::to_string(block) + ", inputs of " + input_name(input) + ", sequences " +
              std::to_string(hidden.first_sequence(portion)) + " to " +
              std::to_string(hidden.first_sequence(portion + 1) - 1) + " of " +
              std::to_string(hidden.sequence_length()) + " rows each: " + error.message,
          error.remedy};
}

Result<BlockStatistics> look_at_block(Backend& backend, const ModelFile& model, std::int64_t index,
                                      std::span<const std::size_t> slots, HiddenStates& hidden,
                                      const Watch& watch) {
  BlockStatistics statistics(model, slots);
  Block block = load_block(backend, model, index);
  BlockValues values;
  for (std::int64_t portion = 0; portion < hidden.portions(); ++portion) {
    const double done = static_cast<double>(portion) / static_cast<double>(hidden.portions());
    if (const Result<void> on = watch.at(index, kLookingShare * done, "calibrating"); !on) {
      return on.error();
    }
    hidden.pass(backend, block, portion, copying_observer(backend, values));
    std::size_t input = 0;
    if (const Result<void> added = statistics.add(values, input); !added) {
      return placed(added.error(), hidden, index, portion, input);
    }
  }
  return statistics;
}

// A slot's weight and bias.
struct LayerWeights {
  std::vector<float> weight, bias;
};

LayerWeights weights_of(const ModelFile& model, const LinearPlan& plan) {
  return {model.floats(plan.name + ".weight"),
          plan.bias ? model.floats(plan.name + ".bias") : std::vector<float>()};
}

LayerProblem problem_of(const LinearPlan& plan, const LayerWeights& weights) {
  return {.out = plan.out, .in = plan.in, .weight = weights.weight, .bias = weights.bias};
}

// Values are fitted without a mean. Attention mixes them, and heads that have nothing to say look
// at tokens whose value is nearly zero: an error that is the same for all tokens, as a new bias
// leaves one where a token is unlike the mean, would reach every output. `lord` is as its paper has
// it.
LordSolverOptions options_for(const LinearPlan& plan, LordSolverOptions options) {
  if (options.solver == LordSolver::kAffine && layer_type(plan.name) == LayerType::kValue) {
    options.centred = false;
  }
  return options;
}

FactoredSlot slot_of(const LinearPlan& dense, const LayerFactors& factors) {
  FactoredSlot slot{.plan = dense,
                    .a = {factors.a.begin(), factors.a.end()},
                    .b = {factors.b.begin(), factors.b.end()},
                    .bias = {factors.bias.begin(), factors.bias.end()}};
  slot.plan.storage = LinearStorage::kLowRank;
  slot.plan.rank = factors.rank;
  slot.plan.bias = !factors.bias.empty();
  return slot;
}

// What a verdict leaves dense is not in it.
std::map<std::string, std::int64_t> ranks_by_name(std::span<const RankVerdict> verdicts) {
  std::map<std::string, std::int64_t> ranks;
  for (const RankVerdict& verdict : verdicts) {
    if (verdict.rank > 0) {
      ranks[verdict.name] = verdict.rank;
    }
  }
  return ranks;
}

// The dense prefix and the one that is factored already, side by side.
class SequentialFit {
 public:
  SequentialFit(Backend& backend, const ModelFile& model, const CalibrationSequences& sequences,
                const LordSolverOptions& options, const Watch& watch)
      : backend_(backend),
        model_(model),
        options_(options),
        watch_(watch),
        dense_(model, sequences),
        factored_(dense_) {}

  // Appends the factors of the slots of one block, and takes both prefixes past it.
  Result<void> fit_block(std::int64_t index, const std::map<std::string, std::int64_t>& ranks,
                         std::vector<FactoredSlot>& out) {
    std::vector<std::size_t> slots;
    const std::int64_t per_block = model_.config().slots_per_block();
    for (std::int64_t i = index * per_block; i < (index + 1) * per_block; ++i) {
      if (ranks.contains(model_.plans()[static_cast<std::size_t>(i)].name)) {
        slots.push_back(static_cast<std::size_t>(i));
      }
    }
    const auto statistics = look(index, slots);
    if (!statistics) {
      return statistics.error();
    }
    std::vector<FactoredSlot> fitted;
    for (const std::size_t slot : slots) {
      const LinearPlan& plan = model_.plans()[slot];
      if (const Result<void> on = watch_.at(index, kLookingShare, "fitting"); !on) {
        return on;
      }
      const LayerWeights weights = weights_of(model_, plan);
      LayerProblem problem = problem_of(plan, weights);
      problem.cross = &*(*statistics)[input_of(model_, slot)];
      const auto solution = solve_layer(problem, options_for(plan, options_));
      if (!solution) {
        return Error{solution.error().kind, plan.name + ": " + solution.error().message,
                     solution.error().remedy};
      }
      fitted.push_back(slot_of(plan, solution->factors(ranks.at(plan.name))));
    }
    out.insert(out.end(), fitted.begin(), fitted.end());
    Block block = load_block(backend_, ModelFile::with_factors(model_, std::move(fitted)), index);
    for (std::int64_t portion = 0; portion < factored_.portions(); ++portion) {
      factored_.pass(backend_, block, portion, {});
    }
    return {};
  }

 private:
  Result<CrossOfInputs> look(std::int64_t index, std::span<const std::size_t> slots) {
    CrossOfInputs statistics = cross_statistics_for(model_, slots);
    Block block = load_block(backend_, model_, index);
    BlockValues dense, factored;
    for (std::int64_t portion = 0; portion < dense_.portions(); ++portion) {
      const double done = static_cast<double>(portion) / static_cast<double>(dense_.portions());
      if (const Result<void> on = watch_.at(index, kLookingShare * done, "following"); !on) {
        return on.error();
      }
      factored_.look(backend_, block, portion, copying_observer(backend_, factored));
      dense_.pass(backend_, block, portion, copying_observer(backend_, dense));
      for (std::size_t i = 0; i < kBlockInputs; ++i) {
        const Result<void> added =
            statistics[i] ? statistics[i]->add(dense[i], factored[i]) : Result<void>();
        if (!added) {
          return placed(added.error(), dense_, index, portion, i);
        }
      }
    }
    return statistics;
  }

  Backend& backend_;
  const ModelFile& model_;
  const LordSolverOptions& options_;
  const Watch& watch_;
  HiddenStates dense_;
  HiddenStates factored_;
};

}  // namespace

Result<void> check_is_dense(const ModelFile& model) {
  for (const LinearPlan& plan : model.plans()) {
    if (plan.storage != LinearStorage::kDense) {
      return Error{ErrorKind::kUsage,
                   model.path().string() + ": " + plan.name + " is two factors already",
                   "decompose the dense model it was made from, or one that was multiplied out "
                   "(lathe export --format hf)"};
    }
  }
  return {};
}

Result<Decomposition> Decomposition::of(Backend& backend, const ModelFile& model,
                                        const CalibrationSequences& sequences,
                                        const LordSolverOptions& options,
                                        std::span<const LayerType> types,
                                        const CompressProgress& progress) {
  if (const Result<void> dense = check_is_dense(model); !dense) {
    return dense.error();
  }
  Decomposition all(model);
  const Watch watch(progress, model.config().layers);
  HiddenStates hidden(model, sequences);
  for (std::int64_t index = 0; index < model.config().layers; ++index) {
    const std::vector<std::size_t> slots = slots_of_block(model, index, types);
    const auto statistics = look_at_block(backend, model, index, slots, hidden, watch);
    if (!statistics) {
      return statistics.error();
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const LinearPlan& plan = model.plans()[slots[i]];
      const double done = static_cast<double>(i) / static_cast<double>(slots.size());
      const double within = kLookingShare + (1 - kLookingShare) * done;
      if (const Result<void> on = watch.at(index, within, "fitting"); !on) {
        return on.error();
      }
      const LayerWeights weights = weights_of(model, plan);
      LayerProblem problem = problem_of(plan, weights);
      statistics->attach(slots[i], problem);
      auto solution = solve_layer(problem, options_for(plan, options));
      if (!solution) {
        return Error{solution.error().kind, plan.name + ": " + solution.error().message,
                     solution.error().remedy};
      }
      if (!solution->note().empty()) {
        all.notes_.push_back(plan.name + ": " + solution->note());
      }
      all.layers_.push_back({plan, std::move(*solution)});
    }
  }
  return all;
}

void Decomposition::set_importance(std::span<const double> by_slot) {
  std::map<std::string, double> by_name;
  for (std::size_t i = 0; i < by_slot.size(); ++i) {
    by_name[model_.plans()[i].name] = by_slot[i];
  }
  for (DecomposedLayer& layer : layers_) {
    layer.importance = by_name.at(layer.slot.name);
  }
}

ModelFile Decomposition::with_ranks(std::span<const RankVerdict> verdicts) const {
  const std::map<std::string, std::int64_t> ranks = ranks_by_name(verdicts);
  std::vector<FactoredSlot> slots;
  for (const DecomposedLayer& layer : layers_) {
    if (const auto rank = ranks.find(layer.slot.name); rank != ranks.end()) {
      slots.push_back(slot_of(layer.slot, layer.solution.factors(rank->second)));
    }
  }
  return ModelFile::with_factors(model_, std::move(slots));
}

Result<ModelFile> Decomposition::sequentially(Backend& backend,
                                              const CalibrationSequences& sequences,
                                              std::span<const RankVerdict> verdicts, double ridge,
                                              const CompressProgress& progress) const {
  const std::map<std::string, std::int64_t> ranks = ranks_by_name(verdicts);
  const LordSolverOptions options{.solver = LordSolver::kAffine, .ridge = ridge};
  const Watch watch(progress, model_.config().layers);
  SequentialFit fit(backend, model_, sequences, options, watch);
  std::vector<FactoredSlot> slots;
  for (std::int64_t index = 0; index < model_.config().layers; ++index) {
    if (const Result<void> fitted = fit.fit_block(index, ranks, slots); !fitted) {
      return fitted.error();
    }
  }
  return ModelFile::with_factors(model_, std::move(slots));
}

}  // namespace lathe
