// The points of a sweep: every combination of a grid or seeded random draws, each with its spec,
// label and prediction.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "engine/base/rng.h"
#include "experiments/condition.h"
#include "experiments/ids.h"
#include "experiments/sweep.h"

namespace lathe::experiments {
namespace {

constexpr std::size_t kMostPoints = 100'000;
constexpr std::uint64_t kRandomSearchStream = 0x5eed'5ea7c4;

using Values = std::vector<Json>;  // one per axis

Json number_for(const ParamInfo& param, double value) {
  return param.type == ParamType::kInt ? Json(static_cast<std::int64_t>(std::llround(value)))
                                       : Json(value);
}

// Fifteen digits: 0.1 * 3 is 0.3, as a person would have written it.
double rounded(double value) {
  return std::stod(fmt::format("{:.15g}", value));
}

std::int64_t range_count(const Axis& axis) {
  return static_cast<std::int64_t>(std::ceil((axis.hi - axis.lo) / axis.step - 1e-9));
}

Result<Values> grid_values(const Axis& axis) {
  if (axis.kind == AxisKind::kList) {
    return axis.values;
  }
  if (axis.kind == AxisKind::kUniform) {
    return Error{ErrorKind::kUsage, axis.path + "=uniform(...) is drawn at random",
                 "choose random search and a number of trials, or write range or log"};
  }
  const ParamInfo& param = *find_param(axis.path);
  const bool is_range = axis.kind == AxisKind::kRange;
  const std::int64_t count = is_range ? range_count(axis) : axis.count;
  Values values;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<double>(i);
    double value = axis.lo + at * axis.step;
    if (!is_range) {
      const double share = at / static_cast<double>(count - 1);
      value = i + 1 == count ? axis.hi : axis.lo * std::pow(axis.hi / axis.lo, share);
    }
    Json number = number_for(param, rounded(value));
    if (values.empty() || values.back() != number) {  // whole numbers may coincide
      values.push_back(std::move(number));
    }
  }
  return values;
}

Json draw(const Axis& axis, Rng& rng) {
  switch (axis.kind) {
    case AxisKind::kList:
      return axis.values[rng.next_below(axis.values.size())];
    case AxisKind::kRange: {
      const auto count = static_cast<std::uint64_t>(range_count(axis));
      const auto at = static_cast<double>(rng.next_below(count));
      return number_for(*find_param(axis.path), rounded(axis.lo + at * axis.step));
    }
    case AxisKind::kLog:
      return number_for(*find_param(axis.path),
                        axis.lo * std::pow(axis.hi / axis.lo, rng.next_unit()));
    case AxisKind::kUniform:
      return number_for(*find_param(axis.path), axis.lo + (axis.hi - axis.lo) * rng.next_unit());
  }
  return nullptr;
}

Result<std::vector<Values>> grid(const std::vector<Axis>& axes) {
  std::vector<Values> combinations{{}};
  for (const Axis& axis : axes) {
    const auto values = grid_values(axis);
    if (!values) {
      return values.error();
    }
    if (combinations.size() * values->size() > kMostPoints) {
      return Error{ErrorKind::kUsage, fmt::format("the sweep has more than {} points", kMostPoints),
                   "list fewer values, or choose random search with a number of trials"};
    }
    std::vector<Values> longer;
    for (const Values& begun : combinations) {
      for (const Json& value : *values) {
        longer.push_back(begun);
        longer.back().push_back(value);
      }
    }
    combinations = std::move(longer);
  }
  return combinations;
}

Result<std::vector<Values>> random_draws(const SweepSpec& sweep, std::int64_t seed) {
  if (sweep.trials < 1) {
    return Error{ErrorKind::kUsage, "random search needs a number of trials",
                 "give --trials N, or \"trials\" in the sweep section"};
  }
  std::vector<Values> draws;
  for (std::int64_t trial = 0; trial < sweep.trials; ++trial) {
    // A stream per trial: more trials leave the earlier ones as they were.
    Rng rng(static_cast<std::uint64_t>(seed),
            kRandomSearchStream + static_cast<std::uint64_t>(trial));
    Values values;
    for (const Axis& axis : sweep.axes) {
      values.push_back(draw(axis, rng));
    }
    draws.push_back(std::move(values));
  }
  return draws;
}

std::string short_value(const Json& value) {
  if (value.is_number_float()) {
    return fmt::format("{:.4g}", value.get<double>());
  }
  return value.is_string() ? value.get<std::string>() : json_text(value);
}

// "r16", "lr0.001", "bpe": what tells this value from its neighbours, as short as it stays clear.
std::string label_part(const Axis& axis, const Json& value) {
  const ParamInfo& param = *find_param(axis.path);
  if (param.type == ParamType::kEnum) {
    return short_value(value);
  }
  const std::string name(param.short_name());
  if (name == "rank") {
    return value == 0 ? "dense" : fmt::format("r{}", short_value(value));
  }
  return fmt::format("{}{}", name == "seed" ? "s" : name, short_value(value));
}

bool varies(const Axis& axis) {
  return axis.kind != AxisKind::kList || axis.values.size() > 1;
}

std::string label_of(const SweepSpec& sweep, const Values& values, std::int64_t seed) {
  std::string label;
  const auto add = [&](std::string_view part) {
    label += label.empty() ? "" : "-";
    label += part;
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (varies(sweep.axes[i])) {
      add(label_part(sweep.axes[i], values[i]));
    }
  }
  if (sweep.seeds > 1) {
    add(fmt::format("s{}", seed));
  }
  if (label.empty()) {
    label = sweep.base.value("name", std::string());
  }
  return label.empty() ? "run" : label;
}

void predict_point(const RunSpec& spec, const Predictor& predict,
                   const std::vector<Condition>& conditions, PlannedPoint& point) {
  const auto prediction = predict(spec);
  if (!prediction) {
    point.excluded_because = prediction.error().message;
    return;
  }
  point.predicted_peak_bytes = prediction->peak_bytes;
  point.predicted_params = prediction->params;
  point.predicted_stored_bytes = prediction->stored_bytes;
  point.predicted_flops_per_step = prediction->flops_per_step;
  for (const Condition& condition : conditions) {
    if (point.excluded_because.empty()) {
      point.excluded_because = why_dropped(condition, *prediction);
    }
  }
}

PlannedPoint make_point(const SweepSpec& sweep, const Values& values, std::int64_t replicate) {
  Json document = sweep.base;
  for (std::size_t i = 0; i < values.size(); ++i) {
    set_path(document, sweep.axes[i].path, values[i]);
  }
  const std::int64_t seed = document.value("seed", std::int64_t{0}) + replicate;
  document["seed"] = seed;
  PlannedPoint point;
  point.run = new_id();
  point.label = label_of(sweep, values, seed);
  document["name"] = point.label;
  point.spec = std::move(document);
  return point;
}

}  // namespace

Result<std::vector<PlannedPoint>> expand(const SweepSpec& sweep, const Predictor& predict) {
  const auto base = run_spec_from_json(sweep.base);
  if (!base) {
    return base.error();
  }
  std::vector<Condition> conditions;
  for (const std::string& text : sweep.where) {
    auto condition = parse_condition(text);
    if (!condition) {
      return condition.error();
    }
    conditions.push_back(std::move(*condition));
  }
  if (!conditions.empty() && !predict) {
    return Error{ErrorKind::kUsage, "conditions need predictions, and this sweep has none",
                 "leave out `where`"};
  }
  const auto combinations =
      sweep.search == "random" ? random_draws(sweep, base->train.seed) : grid(sweep.axes);
  if (!combinations) {
    return combinations.error();
  }
  std::vector<PlannedPoint> points;
  for (const Values& values : *combinations) {
    for (std::int64_t replicate = 0; replicate < sweep.seeds; ++replicate) {
      PlannedPoint point = make_point(sweep, values, replicate);
      point.index = static_cast<std::int64_t>(points.size());
      const auto spec = run_spec_from_json(point.spec);
      if (!spec) {
        point.excluded_because = spec.error().message;
      } else {
        point.spec = to_json(*spec);
        if (predict) {
          predict_point(*spec, predict, conditions, point);
        }
      }
      points.push_back(std::move(point));
    }
  }
  return points;
}

}  // namespace lathe::experiments
