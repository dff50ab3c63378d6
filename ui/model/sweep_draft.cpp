// Drafts to and from sweep documents; checking is left to experiments/, so that there is one truth.
#include "ui/model/sweep_draft.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace lathe::ui {

namespace ex = lathe::experiments;

namespace {

const ParamInfo* find_param(std::string_view path) {
  for (const ParamInfo& param : ex::run_spec_params()) {
    if (param.path == path) {
      return &param;
    }
  }
  return nullptr;
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : (value.is_null() ? "" : json_text(value));
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  const std::size_t last = text.find_last_not_of(" \t");
  return first == std::string_view::npos ? "" : std::string(text.substr(first, last - first + 1));
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string part = trimmed(text.substr(0, comma));
    if (!part.empty()) {
      out.push_back(std::move(part));
    }
    if (comma == std::string_view::npos) {
      return out;
    }
    text.remove_prefix(comma + 1);
  }
}

Result<ex::Axis> to_axis(const AxisDraft& draft) {
  const ParamInfo* param = find_param(draft.path);
  if (param == nullptr) {
    return Error{ErrorKind::kUsage, draft.path + " is not a parameter", "remove this axis"};
  }
  ex::Axis axis{.path = draft.path,
                .kind = draft.kind,
                .values = {},
                .lo = draft.lo,
                .hi = draft.hi,
                .step = draft.step,
                .count = draft.count};
  if (draft.kind != ex::AxisKind::kList) {
    return axis;
  }
  for (const std::string& text : split_list(draft.values)) {
    Result<Json> value = ex::parse_param_value(*param, text);
    if (!value) {
      return value.error();
    }
    axis.values.push_back(std::move(value).value());
  }
  if (axis.values.empty()) {
    return Error{ErrorKind::kUsage, draft.path + " has no values",
                 "write some, separated by commas, or remove the axis"};
  }
  return axis;
}

AxisDraft to_draft(const ex::Axis& axis) {
  AxisDraft draft{.path = axis.path,
                  .kind = axis.kind,
                  .values = {},
                  .lo = axis.lo,
                  .hi = axis.hi,
                  .step = axis.step,
                  .count = axis.count};
  for (const Json& value : axis.values) {
    draft.values += (draft.values.empty() ? "" : ", ") + text_of(value);
  }
  return draft;
}

}  // namespace

std::string param_group(const ParamInfo& param) {
  const std::size_t dot = param.path.rfind('.');
  return dot == std::string::npos ? "run" : param.path.substr(0, dot);
}

std::string suggest_values(const ParamInfo& param, const Json& value) {
  if (param.type == ParamType::kBool) {
    return "false, true";
  }
  if (param.type == ParamType::kEnum) {
    return fmt::format("{}", fmt::join(param.choices, ", "));
  }
  if (!value.is_number()) {
    return text_of(value);
  }
  const double here = value.get<double>();
  const double factor = param.type == ParamType::kReal ? std::sqrt(10.0) : 2.0;
  std::set<double> values;
  for (const int power : {-1, 0, 1}) {
    double candidate = here == 0 ? power + 1 : here * std::pow(factor, power);
    if (param.type == ParamType::kInt) {
      candidate = std::round(candidate);
    }
    values.insert(std::clamp(candidate, param.lo, param.hi));
  }
  std::string out;
  for (const double one : values) {
    out += fmt::format("{}{:.3g}", out.empty() ? "" : ", ", one);
  }
  return out;
}

SweepDraft::SweepDraft() : base_(ex::to_json(ex::RunSpec{})) {}

Result<void> SweepDraft::load(const Json& sweep) {
  Result<ex::SweepSpec> spec = ex::sweep_from_json(sweep);
  if (!spec) {
    return spec.error();
  }
  const Result<ex::RunSpec> base = ex::run_spec_from_json(spec->base);
  if (!base) {
    return base.error();
  }
  base_ = ex::to_json(*base);
  axes_.clear();
  for (const ex::Axis& axis : spec->axes) {
    axes_.push_back(to_draft(axis));
  }
  name_ = spec->name;
  search_ = spec->search;
  trials_ = spec->trials > 0 ? spec->trials : trials_;
  seeds_ = spec->seeds;
  where_ = spec->where;
  ++revision_;
  return {};
}

Result<ex::SweepSpec> SweepDraft::spec() const {
  ex::SweepSpec out;
  out.name = name_;
  out.base = base_;
  out.search = search_;
  out.trials = search_ == "random" ? trials_ : 0;
  out.seeds = seeds_;
  out.where = where_;
  for (const AxisDraft& draft : axes_) {
    Result<ex::Axis> axis = to_axis(draft);
    if (!axis) {
      return axis.error();
    }
    out.axes.push_back(std::move(axis).value());
  }
  return out;
}

Result<Json> SweepDraft::document() const {
  const Result<ex::SweepSpec> out = spec();
  if (!out) {
    return out.error();
  }
  return ex::to_json(*out);
}

std::string SweepDraft::to_text() const {
  Json out{{"name", name_},   {"base", base_},   {"search", search_},    {"trials", trials_},
           {"seeds", seeds_}, {"where", where_}, {"axes", Json::array()}};
  for (const AxisDraft& axis : axes_) {
    out["axes"].push_back(Json{{"path", axis.path},
                               {"kind", static_cast<int>(axis.kind)},
                               {"values", axis.values},
                               {"lo", axis.lo},
                               {"hi", axis.hi},
                               {"step", axis.step},
                               {"count", axis.count}});
  }
  return json_text(out);
}

// The text comes from a file that anyone may have touched: what does not fit is left out.
void SweepDraft::restore(const std::string& text) {
  const Json in = Json::parse(text, nullptr, false);
  if (!in.is_object() || !in.contains("base")) {
    return;
  }
  const Result<ex::RunSpec> base = ex::run_spec_from_json(in["base"]);
  if (!base) {
    return;
  }
  base_ = ex::to_json(*base);
  const auto read = [](const Json& from, const char* key, auto& out) {
    using Value = std::remove_reference_t<decltype(out)>;
    try {
      out = from.value(key, out);
    } catch (const Json::exception&) {
      out = Value(out);
    }
  };
  read(in, "name", name_);
  read(in, "search", search_);
  read(in, "trials", trials_);
  read(in, "seeds", seeds_);
  read(in, "where", where_);
  axes_.clear();
  for (const Json& one : in.value("axes", Json::array())) {
    AxisDraft axis;
    int kind = 0;
    if (!one.is_object()) {
      continue;
    }
    read(one, "path", axis.path);
    read(one, "kind", kind);
    read(one, "values", axis.values);
    read(one, "lo", axis.lo);
    read(one, "hi", axis.hi);
    read(one, "step", axis.step);
    read(one, "count", axis.count);
    axis.kind = static_cast<ex::AxisKind>(std::clamp(kind, 0, 3));
    if (find_param(axis.path) != nullptr) {
      axes_.push_back(std::move(axis));
    }
  }
  ++revision_;
}

void SweepDraft::set(std::string_view path, Json value) {
  ex::set_path(base_, path, std::move(value));
  ++revision_;
}

std::string SweepDraft::value_text(std::string_view path) const {
  return text_of(value(path));
}

bool SweepDraft::has_method(std::string_view id) const {
  const Json methods = ex::get_path(base_, "method");
  return methods.is_object() && methods.contains(std::string(id));
}

void SweepDraft::set_method(std::string_view id, bool enabled) {
  const std::string prefix = "method." + std::string(id) + ".";
  if (enabled) {
    ex::set_path(base_, "method." + std::string(id), Json::object());
    for (const ParamInfo& param : ex::run_spec_params()) {
      if (param.path.rfind(prefix, 0) == 0) {
        const Result<Json> value = ex::parse_param_value(param, param.default_text);
        if (value) {
          ex::set_path(base_, param.path, *value);
        }
      }
    }
  } else if (base_.contains("method")) {
    base_["method"].erase(std::string(id));
    std::erase_if(axes_, [&](const AxisDraft& axis) { return axis.path.rfind(prefix, 0) == 0; });
  }
  ++revision_;
}

const AxisDraft* SweepDraft::find_axis(std::string_view path) const {
  const auto found = std::find_if(axes_.begin(), axes_.end(),
                                  [&](const AxisDraft& axis) { return axis.path == path; });
  return found == axes_.end() ? nullptr : &*found;
}

void SweepDraft::toggle_axis(const ParamInfo& param) {
  if (is_axis(param.path)) {
    std::erase_if(axes_, [&](const AxisDraft& axis) { return axis.path == param.path; });
  } else {
    const Json here = value(param.path);
    const double number = here.is_number() ? here.get<double>() : 1.0;
    axes_.push_back({.path = param.path,
                     .kind = ex::AxisKind::kList,
                     .values = suggest_values(param, here),
                     .lo = std::clamp(number / 4, param.lo, param.hi),
                     .hi = std::clamp(number * 4, param.lo, param.hi),
                     .step = std::max(1.0, std::round(number / 2)),
                     .count = 4});
  }
  ++revision_;
}

void SweepDraft::set_axis(const AxisDraft& axis) {
  for (AxisDraft& own : axes_) {
    if (own.path == axis.path) {
      own = axis;
      ++revision_;
    }
  }
}

void SweepDraft::set_name(std::string name) {
  name_ = std::move(name);
  ++revision_;
}
void SweepDraft::set_search(std::string search) {
  search_ = std::move(search);
  ++revision_;
}
void SweepDraft::set_trials(std::int64_t trials) {
  trials_ = std::clamp<std::int64_t>(trials, 1, 100000);
  ++revision_;
}
void SweepDraft::set_seeds(std::int64_t seeds) {
  seeds_ = std::clamp<std::int64_t>(seeds, 1, 1000);
  ++revision_;
}
void SweepDraft::set_where(std::vector<std::string> where) {
  where_ = std::move(where);
  ++revision_;
}

}  // namespace lathe::ui
