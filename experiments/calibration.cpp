// See calibration.h.
#include "experiments/calibration.h"

#include <algorithm>
#include <cmath>

#include "engine/base/rng.h"
#include "engine/data/token_source.h"
#include "engine/train/trainer.h"
#include "experiments/clock.h"
#include "experiments/predict.h"

namespace lathe::experiments {
namespace {

constexpr double kMeasuredSecs = 0.5;
constexpr double kPreparingSecs = 4;       // tokenizing, building, checkpoints
constexpr std::int64_t kEvaluations = 8;   // of each point, over its length
constexpr std::int64_t kFewestSteps = 20;  // fewer show nothing
constexpr std::int64_t kMostSteps = 5000;

// Random tokens of the right number: speed does not depend on what they mean.
class MadeUpTokens final : public TokenSource {
 public:
  MadeUpTokens(std::int64_t vocab_size, std::int64_t count) {
    Rng rng(0, 0);
    for (std::int64_t i = 0; i < count; ++i) {
      tokens_.push_back(
          static_cast<std::int32_t>(rng.next_below(static_cast<std::uint64_t>(vocab_size))));
    }
    info_.vocab_size = vocab_size;
    info_.train_tokens = count;
    info_.heldout_tokens = count;
  }
  const CorpusInfo& info() const override { return info_; }
  std::span<const std::int32_t> tokens(Split) const override { return tokens_; }
  std::string decode(std::span<const std::int32_t>) const override { return ""; }

 private:
  CorpusInfo info_;
  std::vector<std::int32_t> tokens_;
};

struct Timing {
  double steps = 0;
  double evaluations = 0;
  double eval_batches = 0;
};

// A forward pass is a third of a step's operations, and an evaluation has no accumulation.
double units(const TrainConfig& train, const Timing& timing) {
  return timing.steps +
         timing.evaluations * timing.eval_batches / (3.0 * static_cast<double>(train.grad_accum));
}

void set_length(std::int64_t steps, const RunSpec& base, SweepSpec& sweep) {
  set_path(sweep.base, "train.steps", steps);
  set_path(sweep.base, "train.eval_every", std::max<std::int64_t>(1, steps / kEvaluations));
  set_path(sweep.base, "train.checkpoint_every", std::max<std::int64_t>(1, (steps + 1) / 2));
  set_path(sweep.base, "optim.warmup_steps",
           std::min(base.train.optim.warmup_steps, std::max<std::int64_t>(1, steps / 10)));
  sweep.target_secs = 0;
}

}  // namespace

Result<double> measure_flops_per_s(const RunSpec& spec) {
  const auto device = resolve_device(spec.device);
  if (!device) {
    return device.error();
  }
  const auto train = resolve_vocabulary(spec.train);
  if (!train) {
    return train.error();
  }
  auto backend = make_backend(*device, static_cast<int>(spec.threads));
  if (!backend) {
    return backend.error();
  }
  const auto tokens =
      std::make_shared<MadeUpTokens>(train->model.vocab_size, 16 * (train->train.seq_len + 1));
  std::vector<std::string> warnings;
  const auto trainer = make_trainer(**backend, *train, tokens, warnings);
  if (!trainer) {
    return trainer.error();
  }
  // The first step also makes what stays (kernels, pools), so it does not count.
  if (const auto first = (*trainer)->step(); !first) {
    return first.error();
  }
  // The fastest step says most about the machine: what else runs on it only ever slows steps down.
  const Stopwatch watch;
  double best = 0;
  do {
    const auto step = (*trainer)->step();
    if (!step) {
      return step.error();
    }
    best = std::max(best, step->flops / step->step_secs);
  } while (watch.secs() < kMeasuredSecs);
  return best;
}

double expected_secs(const PlannedPoint& point, double flops_per_s) {
  const auto spec = run_spec_from_json(point.spec);
  if (!spec) {
    return 0;
  }
  const TrainConfig& train = spec->train.train;
  Timing timing;
  timing.steps = static_cast<double>(train.steps);
  timing.eval_batches = static_cast<double>(train.eval_batches);
  if (train.eval_every > 0) {
    timing.evaluations = std::ceil(timing.steps / static_cast<double>(train.eval_every));
  }
  return units(train, timing) * point.predicted_flops_per_step / flops_per_s;
}

Result<SweepSpec> calibrate(const SweepSpec& sweep, const Predictor& predict) {
  if (sweep.target_secs <= 0) {
    return sweep;
  }
  const auto base = run_spec_from_json(sweep.base);
  if (!base) {
    return base.error();
  }
  const auto points = expand(sweep, predict);
  if (!points) {
    return points.error();
  }
  const auto speed = measure_flops_per_s(*base);
  if (!speed) {
    return speed.error();
  }
  double secs_per_step = 0;  // one step of every point
  for (const PlannedPoint& point : *points) {
    secs_per_step += point.excluded_because.empty() ? point.predicted_flops_per_step / *speed : 0;
  }
  const TrainConfig& train = base->train.train;
  const double evaluations =
      units(train, {0, kEvaluations, static_cast<double>(train.eval_batches)}) * secs_per_step;
  const double for_steps = std::max(0.0, sweep.target_secs - kPreparingSecs - evaluations);
  const double fitting = secs_per_step > 0 ? for_steps / secs_per_step : kMostSteps;
  const auto steps = static_cast<std::int64_t>(std::min<double>(fitting, kMostSteps));
  SweepSpec calibrated = sweep;
  set_length(std::max(steps, kFewestSteps), *base, calibrated);
  return calibrated;
}

}  // namespace lathe::experiments
