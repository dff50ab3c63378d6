// Sweeps as documents and as command-line assignments. See sweep_points.cpp for their points.
//
// A document is a run config with a "sweep" section:
//   "sweep": {"name": "ranks", "axes": {"method.low_rank.rank": [0, 8, 32], "optim.lr":
//   "log(1e-4,1e-2,5)"}, "search": "grid", "trials": 0, "seeds": 1, "where": [], "jobs": 1}
#include "experiments/sweep.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "experiments/condition.h"

namespace lathe::experiments {
namespace {

constexpr std::int64_t kMostAxisValues = 100'000;

// The scalar part of a "sweep" section.
struct SweepHead {
  std::string name;
  std::string search = "grid";
  std::int64_t trials = 0;
  std::int64_t seeds = 1;
  std::vector<std::string> where;
  std::int64_t jobs = 1;
  double target_secs = 0;

  static constexpr auto fields() {
    using H = SweepHead;
    return std::tuple{
        field("name", &H::name, {.help = "label of the sweep"}),
        field("search", &H::search, {.help = "grid or random"}),
        field("trials", &H::trials, {.lo = 0, .hi = 1e6, .help = "random: number of points"}),
        field("seeds", &H::seeds, {.lo = 1, .hi = 1e4, .help = "replicates: seed, seed + 1, ..."}),
        field("where", &H::where, {.help = "conditions on predicted numbers"}),
        field("jobs", &H::jobs, {.lo = 1, .hi = 1024, .help = "points at once, each a process"}),
        field("target_secs", &H::target_secs,
              {.lo = 0, .hi = 1e7, .unit = "s", .help = "wanted length; sets train.steps by it"})};
  }
};
static_assert(complete<SweepHead>());

Error usage(std::string message, std::string remedy = "") {
  return {ErrorKind::kUsage, std::move(message), std::move(remedy)};
}

bool is_number(const ParamInfo& param) {
  return param.type == ParamType::kInt || param.type == ParamType::kReal;
}

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) {
      part.remove_prefix(1);
    }
    while (part.ends_with(' ')) {
      part.remove_suffix(1);
    }
    parts.push_back(part);
    if (comma == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(comma + 1);
  }
}

struct Form {
  std::string_view name;
  AxisKind kind;
  std::size_t least;
  std::size_t most;
  std::string_view example;
};
constexpr std::array kForms{Form{"range", AxisKind::kRange, 2, 3, "range(4,65,4)"},
                            Form{"log", AxisKind::kLog, 3, 3, "log(1e-5,1e-3,5)"},
                            Form{"uniform", AxisKind::kUniform, 2, 2, "uniform(1e-4,1e-3)"}};

// The form whose name stands before a parenthesis, if any.
const Form* form_of(std::string_view text) {
  for (const Form& form : kForms) {
    if (text.starts_with(form.name) && text.substr(form.name.size()).starts_with('(')) {
      return &form;
    }
  }
  return nullptr;
}

Result<std::vector<double>> read_numbers(const Form& form, std::string_view text) {
  const Error wrong = usage(fmt::format("'{}' is not a legal axis", text),
                            fmt::format("write e.g. {}", form.example));
  if (!text.ends_with(')')) {
    return wrong;
  }
  std::string_view inside = text.substr(form.name.size() + 1);
  inside.remove_suffix(1);
  std::vector<double> numbers;
  for (const std::string_view part : split_at_commas(inside)) {
    double number = 0;
    const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (failed != std::errc() || end != part.data() + part.size() || !std::isfinite(number)) {
      return wrong;
    }
    numbers.push_back(number);
  }
  if (numbers.size() < form.least || numbers.size() > form.most) {
    return wrong;
  }
  return numbers;
}

// Checks an axis that spans numbers against its parameter's range.
Result<void> check_span(const Axis& axis, std::string_view text) {
  const ParamInfo& param = *find_param(axis.path);
  const auto illegal = [&](std::string_view why) {
    return usage(fmt::format("{}={} is not a legal axis: {}", axis.path, text, why), param.help);
  };
  if (!is_number(param)) {
    return illegal("only numbers have ranges; list the values");
  }
  if (axis.lo >= axis.hi) {
    return illegal("the first bound must be below the second");
  }
  const bool up_to_hi = axis.kind != AxisKind::kRange;  // a range ends before its bound
  if (axis.lo < param.lo || (up_to_hi && axis.hi > param.hi)) {
    return illegal(
        fmt::format("it takes {} to {}", detail::real_text(param.lo), detail::real_text(param.hi)));
  }
  if (axis.kind == AxisKind::kRange &&
      (axis.step <= 0 || (axis.hi - axis.lo) / axis.step > kMostAxisValues)) {
    return illegal("the step must be above 0 and give at most 100000 values");
  }
  if (axis.kind == AxisKind::kLog &&
      (axis.lo <= 0 || axis.count < 2 || axis.count > kMostAxisValues)) {
    return illegal("log wants bounds above 0 and 2 to 100000 values");
  }
  return {};
}

Result<Axis> parse_span(const std::string& path, const Form& form, std::string_view text) {
  const auto numbers = read_numbers(form, text);
  if (!numbers) {
    return numbers.error();
  }
  Axis axis;
  axis.path = path;
  axis.kind = form.kind;
  axis.lo = (*numbers)[0];
  axis.hi = (*numbers)[1];
  if (form.kind == AxisKind::kRange && numbers->size() == 3) {
    axis.step = (*numbers)[2];
  }
  if (form.kind == AxisKind::kLog) {
    axis.count = static_cast<std::int64_t>(std::clamp((*numbers)[2], -1.0, 1e9));
  }
  const Result<void> checked = check_span(axis, text);
  return checked ? Result<Axis>(std::move(axis)) : checked.error();
}

// The full path, if a sweep may vary it.
Result<std::string> sweepable(std::string_view key) {
  auto path = resolve_param(key);
  if (path && !find_param(*path)->sweep) {
    return usage(*path + " cannot be an axis of a sweep",
                 "`lathe describe` marks the parameters that can");
  }
  return path;
}

Result<Axis> axis_from_list(const std::string& path, const Json& list) {
  Axis axis;
  axis.path = path;
  for (const Json& element : list) {
    const std::string text = element.is_string() ? element.get<std::string>() : json_text(element);
    auto value = parse_param_value(*find_param(path), text);
    if (!value) {
      return value.error();
    }
    axis.values.push_back(std::move(*value));
  }
  if (axis.values.empty()) {
    return usage("the axis " + path + " has no values", "list at least one");
  }
  return axis;
}

Result<Axis> axis_from_json(const std::string& key, const Json& value) {
  const auto path = sweepable(key);
  if (!path) {
    return path.error();
  }
  if (value.is_array()) {
    return axis_from_list(*path, value);
  }
  if (value.is_string()) {
    const std::string text = value.get<std::string>();
    if (const Form* form = form_of(text)) {
      return parse_span(*path, *form, text);
    }
  }
  return usage(fmt::format("the axis {} is {}", key, json_text(value)),
               "give a list of values, or \"range(4,65,4)\", \"log(1e-5,1e-3,5)\" or "
               "\"uniform(1e-4,1e-3)\"");
}

Json axis_json(const Axis& axis) {
  using lathe::detail::real_text;
  switch (axis.kind) {
    case AxisKind::kList:
      return Json(axis.values);
    case AxisKind::kRange:
      return fmt::format("range({},{},{})", real_text(axis.lo), real_text(axis.hi),
                         real_text(axis.step));
    case AxisKind::kLog:
      return fmt::format("log({},{},{})", real_text(axis.lo), real_text(axis.hi), axis.count);
    case AxisKind::kUniform:
      return fmt::format("uniform({},{})", real_text(axis.lo), real_text(axis.hi));
  }
  return nullptr;
}

void replace_axis(Axis axis, SweepSpec& sweep) {
  const auto same = std::find_if(sweep.axes.begin(), sweep.axes.end(),
                                 [&](const Axis& other) { return other.path == axis.path; });
  if (same == sweep.axes.end()) {
    sweep.axes.push_back(std::move(axis));
  } else {
    *same = std::move(axis);
  }
}

void read_axes(const Json& axes, SweepSpec& sweep, std::vector<std::string>& errors) {
  if (!axes.is_object()) {
    errors.push_back("sweep.axes must be an object of parameters, not " + json_text(axes));
    return;
  }
  for (const auto& [key, value] : axes.items()) {
    auto axis = axis_from_json(key, value);
    if (axis) {
      replace_axis(std::move(*axis), sweep);
    } else {
      errors.push_back(axis.error().text());
    }
  }
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? "" : "\n") + line;
  }
  return text;
}

}  // namespace

Result<SweepSpec> sweep_from_json(const Json& document) {
  if (!document.is_object()) {
    return usage("a sweep config must be a JSON object", "begin it with { and end it with }");
  }
  SweepSpec sweep;
  sweep.base = document;
  sweep.base.erase("sweep");
  std::vector<std::string> errors;
  const auto base = run_spec_from_json(sweep.base);
  if (!base) {
    errors.push_back(base.error().message);
  }
  Json section = document.value("sweep", Json::object());
  if (section.is_object() && section.contains("axes")) {
    read_axes(section["axes"], sweep, errors);
    section.erase("axes");
  }
  SweepHead head;
  read_json(section, head, "sweep", errors);
  if (head.search != "grid" && head.search != "random") {
    errors.push_back("sweep.search is " + head.search + "; it takes grid or random");
  }
  for (const std::string& text : head.where) {
    const auto condition = parse_condition(text);
    if (!condition) {
      errors.push_back(condition.error().text());
    }
  }
  if (!errors.empty()) {
    return usage(joined(errors), "lathe describe lists every parameter");
  }
  sweep.name = head.name;
  sweep.search = head.search;
  sweep.trials = head.trials;
  sweep.seeds = head.seeds;
  sweep.where = head.where;
  sweep.jobs = head.jobs;
  sweep.target_secs = head.target_secs;
  return sweep;
}

Json to_json(const SweepSpec& sweep) {
  Json axes = Json::object();
  for (const Axis& axis : sweep.axes) {
    axes[axis.path] = axis_json(axis);
  }
  const Json head = lathe::to_json(SweepHead{sweep.name, sweep.search, sweep.trials, sweep.seeds,
                                             sweep.where, sweep.jobs, sweep.target_secs});
  Json section = Json::object();
  section["name"] = head["name"];
  section["axes"] = std::move(axes);
  section.update(head);
  Json document = sweep.base;
  document["sweep"] = std::move(section);
  return document;
}

Result<void> apply_axis(std::string_view assignment, SweepSpec& sweep) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return usage(fmt::format("'{}' is neither an override nor an axis", assignment),
                 "write key=value, key=a,b,c or key=range(lo,hi,step)");
  }
  const auto path = resolve_param(assignment.substr(0, equals));
  if (!path) {
    return path.error();
  }
  const std::string_view text = assignment.substr(equals + 1);
  const Form* form = form_of(text);
  const bool is_text = find_param(*path)->type == ParamType::kText ||
                       find_param(*path)->type == ParamType::kTextList;
  const bool is_list = !is_text && text.find(',') != std::string_view::npos;
  if (form == nullptr && !is_list) {
    const Result<void> applied = apply_override(assignment, sweep.base);
    if (applied) {
      std::erase_if(sweep.axes, [&](const Axis& axis) { return axis.path == *path; });
    }
    return applied;
  }
  if (const auto allowed = sweepable(*path); !allowed) {
    return allowed.error();
  }
  Json list = Json::array();
  if (form == nullptr) {
    for (const std::string_view part : split_at_commas(text)) {
      list.push_back(std::string(part));
    }
  }
  auto axis = form != nullptr ? parse_span(*path, *form, text) : axis_from_list(*path, list);
  if (!axis) {
    return axis.error();
  }
  replace_axis(std::move(*axis), sweep);
  return {};
}

}  // namespace lathe::experiments
