// How fast this machine is, measured in half a second, and what follows from it: how long a sweep
// takes, and how many steps fit into a given time.
#pragma once

#include "engine/base/result.h"
#include "experiments/sweep.h"

namespace lathe::experiments {

// Operations per second of training steps of this spec, on made-up tokens.
Result<double> measure_flops_per_s(const RunSpec& spec);

// Expected seconds of one point: its steps and evaluations. Rough: smaller operations run slower.
double expected_secs(const PlannedPoint& point, double flops_per_s);

// A sweep with target_secs: its train.steps, and with them warm-up, evaluations and checkpoints,
// are set so that all points together take about that long here; target_secs becomes 0. Others come
// back as they are.
Result<SweepSpec> calibrate(const SweepSpec& sweep, const Predictor& predict);

}  // namespace lathe::experiments
