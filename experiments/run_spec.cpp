// Specs as documents: reading with all errors at once, canonical writing, overrides, differences.
#include "experiments/run_spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/base/hash.h"
#include "engine/methods/method.h"
#include "experiments/settings.h"

namespace lathe::experiments {
namespace {

// The dotted paths of all values that are no objects, but for those in `paths` already.
void append_leaves(const Json& at, const std::string& path, std::vector<std::string>& paths) {
  if (!at.is_object()) {
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) {
      paths.push_back(path);
    }
    return;
  }
  for (const auto& [key, value] : at.items()) {
    append_leaves(value, path.empty() ? key : path + "." + key, paths);
  }
}

// The part of a spec that is not a described struct of the engine: label, place, seed.
struct RunHead {
  std::string name;
  std::string device = "auto";
  std::int64_t threads = 0;
  ProductPrecision products = ProductPrecision::kF32;
  std::int64_t seed = 0;

  static constexpr auto fields() {
    using H = RunHead;
    return std::tuple{
        field("name", &H::name, {.help = "label; empty: made from what varies in the sweep"}),
        field("device", &H::device,
              {.structural = true,
               .help = "auto (a CUDA device where there is one), cpu, cpu_ref or cuda:N"}),
        field("threads", &H::threads,
              {.lo = 0,
               .hi = 4096,
               .structural = true,
               .help = "threads of the engine; 0 means all; part of what a replay repeats"}),
        field("products", &H::products,
              {.structural = true,
               .help = "what matrix products round their factors to: f32; on CUDA devices also "
                       "tf32 and bf16, much faster; sums are f32"}),
        field("seed", &H::seed,
              {.lo = 0,
               .hi = 9e15,
               .sweep = true,
               .structural = true,
               .help = "decides initial weights and batches"})};
  }
};
static_assert(complete<RunHead>());

// The sections of a document beside the head, in canonical order; `method` comes last.
template <typename Spec, typename Visit>
void for_each_section(Spec& spec, Visit&& visit) {
  visit("model", spec.train.model);
  visit("data", spec.train.data);
  visit("train", spec.train.train);
  visit("optim", spec.train.optim);
  visit("distill", spec.train.distill);
  visit("eval", spec.eval);
}

std::vector<ParamInfo> collect_params() {
  std::vector<ParamInfo> params;
  append_params<RunHead>("", params);
  RunSpec defaults;
  for_each_section(defaults, [&](std::string_view name, const auto& section) {
    append_params<std::remove_cvref_t<decltype(section)>>(name, params);
  });
  for (const Method& method : methods()) {
    method.append_params("method." + std::string(method.id), params);
  }
  return params;
}

void read_methods(const Json& in, Json& out, std::vector<std::string>& errors) {
  if (!in.is_object()) {
    errors.push_back("method must be an object of method names, not " + json_text(in));
    return;
  }
  std::vector<std::string> known;
  for (const Method& method : methods()) {
    known.emplace_back(method.id);
    const auto found = in.find(method.id);
    if (found != in.end()) {
      out[known.back()] = method.normalise(*found, "method." + known.back(), errors);
    }
  }
  for (const auto& [key, unused] : in.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      detail::report_unknown_key("method." + key, known, errors);
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

Error usage(std::string message, std::string remedy) {
  return {ErrorKind::kUsage, std::move(message), std::move(remedy)};
}

template <typename Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  return failed == std::errc() && end == text.data() + text.size();
}

std::string number_range(const ParamInfo& param) {
  const bool from = std::isfinite(param.lo);
  const bool to = std::isfinite(param.hi);
  if (!from && !to) {
    return "any";
  }
  return (from ? "from " + lathe::detail::real_text(param.lo) : "") + (from && to ? " " : "") +
         (to ? "to " + lathe::detail::real_text(param.hi) : "");
}

Error bad_value(const ParamInfo& param, std::string_view text, const std::string& wanted) {
  return usage(param.path + "=" + std::string(text) + " is not legal: it takes " + wanted,
               param.help.empty() ? "" : param.path + ": " + param.help);
}

Result<Json> parse_bool(const ParamInfo& param, std::string_view text) {
  if (text == "true" || text == "1" || text == "on" || text == "yes") {
    return Json(true);
  }
  if (text == "false" || text == "0" || text == "off" || text == "no") {
    return Json(false);
  }
  return bad_value(param, text, "true or false");
}

Result<Json> parse_int(const ParamInfo& param, std::string_view text) {
  std::int64_t whole = 0;
  double real = 0;
  bool parsed = parse_number(text, whole);
  if (!parsed && parse_number(text, real) && real == std::floor(real) && std::abs(real) < 9e15) {
    whole = static_cast<std::int64_t>(real);  // 1e6 is a whole number too
    parsed = true;
  }
  const auto value = static_cast<double>(whole);
  if (!parsed || value < param.lo || value > param.hi) {
    return bad_value(param, text, "a whole number, " + number_range(param));
  }
  return Json(whole);
}

Result<Json> parse_real(const ParamInfo& param, std::string_view text) {
  double value = 0;
  if (!parse_number(text, value) || !std::isfinite(value) || value < param.lo || value > param.hi) {
    return bad_value(param, text, "a number, " + number_range(param));
  }
  return Json(value);
}

Result<Json> parse_enum(const ParamInfo& param, std::string_view text) {
  std::string wanted;
  for (const std::string& choice : param.choices) {
    if (choice == text) {
      return Json(choice);
    }
    wanted += (wanted.empty() ? "one of " : ", ") + choice;
  }
  return bad_value(param, text, wanted);
}

// "[.py,.txt]" or ".py,.txt".
Result<Json> parse_list(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    text = text.substr(1, text.size() - 2);
  }
  Json list = Json::array();
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    list.push_back(std::string(text.substr(0, comma)));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return list;
}

std::string shown(const Json& value) {
  return value.is_null() ? "-" : value.is_string() ? value.get<std::string>() : json_text(value);
}

}  // namespace

const std::vector<ParamInfo>& run_spec_params() {
  static const std::vector<ParamInfo> kParams = collect_params();
  return kParams;
}

const ParamInfo* find_param(std::string_view path) {
  const std::vector<ParamInfo>& params = run_spec_params();
  const auto found = std::find_if(params.begin(), params.end(), [&](const ParamInfo& param) {
    return param.path == path || (!param.was.empty() && param.was == path);
  });
  return found == params.end() ? nullptr : &*found;
}

Result<RunSpec> run_spec_from_json(const Json& document) {
  RunSpec spec;
  std::vector<std::string> errors;
  if (!document.is_object()) {
    return usage("a run config must be a JSON object", "begin it with { and end it with }");
  }
  RunHead head;
  Json head_part = Json::object();
  std::vector<std::string> known{"method"};
  for_each_section(spec, [&](std::string_view name, auto& section) {
    known.emplace_back(name);
    const auto found = document.find(name);
    if (found != document.end()) {
      read_json(*found, section, std::string(name), errors);
    }
  });
  for_each_field(head, [&](const auto& f, const auto&) { known.emplace_back(f.name); });
  for (const auto& [key, value] : document.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      lathe::detail::report_unknown_key(key, known, errors);
    } else if (find_param(key) != nullptr) {
      head_part[key] = value;
    }
  }
  read_json(head_part, head, "", errors);
  if (const auto found = document.find("method"); found != document.end()) {
    read_methods(*found, spec.train.method, errors);
  }
  if (!errors.empty()) {
    return usage(joined(errors), "lathe describe lists every parameter");
  }
  spec.name = head.name;
  spec.device = head.device;
  spec.threads = head.threads;
  spec.products = head.products;
  spec.train.seed = head.seed;
  return spec;
}

Json to_json(const RunSpec& spec) {
  Json out =
      lathe::to_json(RunHead{spec.name, spec.device, spec.threads, spec.products, spec.train.seed});
  for_each_section(spec, [&](std::string_view name, const auto& section) {
    out[std::string(name)] = lathe::to_json(section);
  });
  out["method"] = spec.train.method;
  return out;
}

std::string spec_hash(const RunSpec& spec, bool without_seed) {
  Json document = to_json(spec);
  document.erase("name");
  if (without_seed) {
    document.erase("seed");
  }
  return sha256_hex(json_text(document));
}

Result<std::string> resolve_param(std::string_view key) {
  const auto param = resolve_among(key, run_spec_params());
  return param ? Result<std::string>((*param)->path) : param.error();
}

Result<Json> parse_param_value(const ParamInfo& param, std::string_view text) {
  switch (param.type) {
    case ParamType::kBool:
      return parse_bool(param, text);
    case ParamType::kInt:
      return parse_int(param, text);
    case ParamType::kReal:
      return parse_real(param, text);
    case ParamType::kEnum:
      return parse_enum(param, text);
    case ParamType::kText:
      return Json(std::string(text));
    case ParamType::kTextList:
      return parse_list(text);
  }
  return bad_value(param, text, "a value");
}

Result<void> apply_override(std::string_view assignment, Json& document) {
  return apply_setting(assignment, run_spec_params(), document);
}

Json get_path(const Json& document, std::string_view path) {
  const Json* at = &document;
  while (!path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    if (!at->is_object()) {
      return nullptr;
    }
    const auto found = at->find(path.substr(0, dot));
    if (found == at->end()) {
      return nullptr;
    }
    at = &*found;
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return *at;
}

void set_path(Json& document, std::string_view path, Json value) {
  Json* at = &document;
  for (;;) {
    const std::size_t dot = path.find('.');
    const std::string key(path.substr(0, dot));
    if (!at->is_object()) {
      *at = Json::object();
    }
    if (dot == std::string_view::npos) {
      (*at)[key] = std::move(value);
      return;
    }
    at = &(*at)[key];
    path.remove_prefix(dot + 1);
  }
}

std::vector<SpecDifference> diff_specs(const Json& a, const Json& b) {
  std::vector<std::string> paths;
  for (const ParamInfo& param : run_spec_params()) {
    paths.push_back(param.path);
  }
  // Whatever else a document holds: those of evaluations have parameters of their own.
  append_leaves(a, "", paths);
  append_leaves(b, "", paths);
  std::vector<SpecDifference> differences;
  for (const std::string& path : paths) {
    const Json left = get_path(a, path);
    const Json right = get_path(b, path);
    if (left != right && path != "name") {
      differences.push_back({path, shown(left), shown(right)});
    }
  }
  return differences;
}

}  // namespace lathe::experiments
