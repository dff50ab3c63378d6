// How fast this machine is, measured in half a second, and what follows from it: how long a sweep
// takes, and how many steps fit into a given time.
#pragma once

#include "engine/base/result.h"
#include "experiments/sweep.h"

namespace lathe::experiments {

// What a training step takes here: a part that every step costs, and one that grows with its
// operations.
struct StepSpeed {
  double fixed_secs = 0;
  double secs_per_flop = 0;
  double secs(double flops) const { return fixed_secs + flops * secs_per_flop; }
};

// From steps of the points with the most and the fewest operations, on made-up tokens. Points that
// are left out do not count; without any other the speed is infinite.
Result<StepSpeed> measure_speed(const std::vector<PlannedPoint>& points);

// Expected seconds of one point: its steps and evaluations.
double expected_secs(const PlannedPoint& point, const StepSpeed& speed);

// A sweep with target_secs: its train.steps, and with them warm-up, evaluations and checkpoints,
// are set so that all points together take about that long here; target_secs becomes 0. Others come
// back as they are.
Result<SweepSpec> calibrate(const SweepSpec& sweep, const Predictor& predict);

}  // namespace lathe::experiments
