// See calibration.h.
#include "experiments/calibration.h"

#include <algorithm>
#include <cmath>

#include "engine/base/rng.h"
#include "engine/data/image_set.h"
#include "engine/data/token_source.h"
#include "engine/train/trainer.h"
#include "experiments/clock.h"
#include "experiments/device.h"
#include "experiments/predict.h"

namespace lathe::experiments {
namespace {

constexpr double kMeasuredSecs = 0.5;
constexpr double kWorthASecondPoint = 0.2;  // of the operations of the largest
constexpr double kPreparingSecs = 4;        // tokenizing, building, checkpoints
constexpr std::int64_t kEvaluations = 8;    // of each point, over its length
constexpr std::int64_t kFewestSteps = 20;   // fewer show nothing
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

// Random pixels of the right size.
std::shared_ptr<const TokenSource> made_up_images(const ImageConfig& model) {
  constexpr std::int64_t kImages = 64;
  ImageSet set{.size = model.size,
               .channels = model.channels,
               .classes = model.classes,
               .mean = std::vector<double>(static_cast<std::size_t>(model.channels), 0.5),
               .deviation = std::vector<double>(static_cast<std::size_t>(model.channels), 0.3)};
  Rng rng(0, 0);
  for (std::int64_t i = 0; i < kImages; ++i) {
    set.train.labels.push_back(static_cast<std::int32_t>(i % model.classes));
    for (std::int64_t pixel = 0; pixel < set.image_bytes(); ++pixel) {
      set.train.pixels.push_back(static_cast<std::uint8_t>(rng.next_below(256)));
    }
  }
  set.heldout = set.train;
  return make_image_source(std::move(set), 0);
}

// What the steps of a spec are measured on. Of text the spec reads running text then, whose rows
// are as long as those that samples are packed into.
std::shared_ptr<const TokenSource> made_up_data(TrainSpec& train) {
  if (train.model.images()) {
    return made_up_images(train.model.image);
  }
  train.data.kind = DataKind::kText;
  return std::make_shared<MadeUpTokens>(train.model.vocab_size, 16 * (train.train.seq_len + 1));
}

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

// The time of a step of this point's spec (lower quartile), measured for about `secs`.
Result<double> typical_step_secs(const PlannedPoint& point, double secs) {
  const auto spec = run_spec_from_json(point.spec);
  if (!spec) {
    return spec.error();
  }
  const auto device = resolve_device(spec->device);
  if (!device) {
    return device.error();
  }
  auto train = resolve_model(spec->train);
  if (!train) {
    return train.error();
  }
  auto backend = make_backend(*device, static_cast<int>(spec->threads), spec->products);
  if (!backend) {
    return backend.error();
  }
  const auto data = made_up_data(*train);
  std::vector<std::string> warnings;
  const auto trainer = make_trainer(**backend, *train, data, warnings);
  if (!trainer) {
    return trainer.error();
  }
  // The first step also makes what stays (kernels, pools), so it does not count.
  if (const auto first = (*trainer)->step(); !first) {
    return first.error();
  }
  std::vector<double> times;
  const Stopwatch watch;
  do {
    const auto step = (*trainer)->step();
    if (!step) {
      return step.error();
    }
    times.push_back(step->step_secs);
  } while (watch.secs() < secs);
  // What else runs on the machine only ever slows steps down: the faster ones say more about it.
  const auto quarter = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 4);
  std::nth_element(times.begin(), quarter, times.end());
  return *quarter;
}

}  // namespace

Result<StepSpeed> measure_speed(const std::vector<PlannedPoint>& points) {
  const PlannedPoint* most = nullptr;
  const PlannedPoint* fewest = nullptr;
  for (const PlannedPoint& point : points) {
    if (!point.excluded_because.empty()) {
      continue;
    }
    const double flops = point.predicted_flops_per_step;
    most = most == nullptr || flops > most->predicted_flops_per_step ? &point : most;
    fewest = fewest == nullptr || flops < fewest->predicted_flops_per_step ? &point : fewest;
  }
  if (most == nullptr) {
    return StepSpeed{};
  }
  const double span = most->predicted_flops_per_step - fewest->predicted_flops_per_step;
  const bool one_is_enough = span < kWorthASecondPoint * most->predicted_flops_per_step;
  const auto slowest = typical_step_secs(*most, one_is_enough ? kMeasuredSecs : kMeasuredSecs / 2);
  if (!slowest || one_is_enough) {
    return slowest ? Result<StepSpeed>(StepSpeed{0, *slowest / most->predicted_flops_per_step})
                   : slowest.error();
  }
  const auto fastest = typical_step_secs(*fewest, kMeasuredSecs / 2);
  if (!fastest) {
    return fastest.error();
  }
  StepSpeed speed;
  speed.secs_per_flop = std::max(0.0, *slowest - *fastest) / span;
  speed.fixed_secs =
      std::max(0.0, *fastest - fewest->predicted_flops_per_step * speed.secs_per_flop);
  return speed;
}

double expected_secs(const PlannedPoint& point, const StepSpeed& speed) {
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
  return units(train, timing) * speed.secs(point.predicted_flops_per_step);
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
  const auto speed = measure_speed(*points);
  if (!speed) {
    return speed.error();
  }
  double secs_per_step = 0;  // one step of every point
  for (const PlannedPoint& point : *points) {
    secs_per_step +=
        point.excluded_because.empty() ? speed->secs(point.predicted_flops_per_step) : 0;
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
