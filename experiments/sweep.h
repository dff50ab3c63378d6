// A sweep: a base spec, axes over sweepable parameters, seeds as replicates, conditions on
// predicted numbers. Expanding it gives an ordered list of points with stable ids.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "experiments/events.h"
#include "experiments/run_spec.h"

namespace lathe::experiments {

enum class AxisKind : std::uint8_t { kList, kRange, kLog, kUniform };

// Values of one parameter. kList: the given ones. kRange: start, start+step .. before stop. kLog:
// `count` values spaced evenly in the logarithm from lo to hi. In random search kRange, kLog and
// kUniform are drawn from instead.
struct Axis {
  std::string path;
  AxisKind kind = AxisKind::kList;
  std::vector<Json> values;  // kList
  double lo = 0;
  double hi = 0;
  double step = 1;         // kRange
  std::int64_t count = 0;  // kLog
};

struct SweepSpec {
  std::string name;
  Json base = Json::object();  // a RunSpec document
  std::vector<Axis> axes;
  std::string search = "grid";     // grid | random
  std::int64_t trials = 0;         // random: number of points
  std::int64_t seeds = 1;          // replicates: seed, seed+1, ...
  std::vector<std::string> where;  // "mem.peak < 2GiB", "model.params < 1e6"
  std::int64_t jobs = 1;
  // Above 0: train.steps is not as configured but such that all points together take about so long
  // on this machine (calibration.h); a plan or a run replaces it by 0 and the steps.
  double target_secs = 0;
};

Result<SweepSpec> sweep_from_json(const Json& document);
Json to_json(const SweepSpec& sweep);

// "rank=4,8,16", "rank=range(4,65,4)", "lr=log(1e-5,1e-3,5)", "lr=uniform(1e-4,1e-3)"; a single
// value is an override of the base.
Result<void> apply_axis(std::string_view assignment, SweepSpec& sweep);

// What predicts a point: plan_step behind a function, so that the caller chooses threads and cache.
struct Prediction {
  std::int64_t peak_bytes = 0;
  std::int64_t params = 0;
  std::int64_t stored_bytes = 0;
  double flops_per_step = 0;
  std::vector<std::string> warnings;
};
using Predictor = std::function<Result<Prediction>(const RunSpec&)>;

// The points in axis order (the last axis fastest, seeds fastest of all); a point that a `where`
// condition drops, or whose spec is illegal, stays in the list with its reason. `predict` may be
// empty: then nothing is predicted and `where` conditions are an error.
Result<std::vector<PlannedPoint>> expand(const SweepSpec& sweep, const Predictor& predict);

}  // namespace lathe::experiments
