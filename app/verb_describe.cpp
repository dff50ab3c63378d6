// lathe describe: every parameter, metric and method, as Markdown or JSON.
// docs/reference/parameters.md is this verb's output, and a test compares the two.
#include <fmt/core.h>

#include <cmath>

#include "app/cli.h"
#include "app/verb_list.h"
#include "engine/compress/compress_spec.h"
#include "engine/methods/method.h"
#include "experiments/metrics.h"
#include "experiments/run_spec.h"

namespace lathe::app {
namespace {

using experiments::Better;

std::string_view type_name(ParamType type) {
  static constexpr std::array<std::string_view, 6> kNames{"bool", "int",  "real",
                                                          "text", "enum", "list"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string_view better_name(Better better) {
  static constexpr std::array<std::string_view, 3> kNames{"lower", "higher", ""};
  return kNames[static_cast<std::size_t>(better)];
}

std::string legal_text(const ParamInfo& param) {
  std::string text;
  for (const std::string& choice : param.choices) {
    text += (text.empty() ? "" : ", ") + choice;
  }
  if (param.type != ParamType::kInt && param.type != ParamType::kReal) {
    return text;
  }
  const bool from = std::isfinite(param.lo);
  const bool to = std::isfinite(param.hi);
  return fmt::format("{}{}{}", from ? fmt::format("{:g}", param.lo) : "", from || to ? " .. " : "",
                     to ? fmt::format("{:g}", param.hi) : "");
}

std::vector<ParamInfo> compress_params() {
  std::vector<ParamInfo> params;
  append_params<CompressSpec>("", params);
  return params;
}

Json params_json(const std::vector<ParamInfo>& described) {
  Json params = Json::array();
  for (const ParamInfo& param : described) {
    params.push_back({{"path", param.path},
                      {"type", type_name(param.type)},
                      {"default", param.default_text},
                      {"legal", legal_text(param)},
                      {"unit", param.unit},
                      {"sweep", param.sweep},
                      {"live", param.live},
                      {"structural", param.structural},
                      {"help", param.help}});
  }
  return params;
}

Json metrics_json() {
  Json metrics = Json::array();
  for (const experiments::MetricDef& metric : experiments::metric_defs()) {
    metrics.push_back({{"id", metric.id},
                       {"unit", metric.unit},
                       {"better", better_name(metric.better)},
                       {"replayed", metric.deterministic},
                       {"help", metric.help}});
  }
  return metrics;
}

Json methods_json() {
  Json rows = Json::array();
  for (const Method& method : methods()) {
    rows.push_back({{"id", method.id}, {"title", method.title}, {"paper", method.paper}});
  }
  return rows;
}

void print_params(const std::vector<ParamInfo>& params) {
  fmt::print(
      "| parameter | type | default | legal | marks | meaning |\n"
      "| --- | --- | --- | --- | --- | --- |\n");
  for (const ParamInfo& param : params) {
    const std::string unit = param.unit.empty() ? "" : " " + param.unit;
    fmt::print("| `{}` | {} | {}{} | {} | {}{} | {} |\n", param.path, type_name(param.type),
               param.default_text, unit, legal_text(param), param.sweep ? "sweep " : "",
               param.live ? "live" : "", param.help);
  }
}

void print_markdown() {
  fmt::print(
      "# Parameters, metrics and methods\n\nMade by `lathe describe`; do not edit.\n\n"
      "## Parameters\n\n");
  print_params(experiments::run_spec_params());
  fmt::print(
      "\n*sweep*: may be an axis of a sweep; *live*: may be changed while a run trains.\n\n"
      "## Settings of `lathe compress`\n\n");
  print_params(compress_params());
  fmt::print(
      "\n*sweep*: takes a list, `budget=0.9,0.8`.\n\n"
      "## Metrics\n\n| metric | unit | better | replayed bit for bit | meaning |\n"
      "| --- | --- | --- | --- | --- |\n");
  for (const experiments::MetricDef& metric : experiments::metric_defs()) {
    fmt::print("| `{}` | {} | {} | {} | {} |\n", metric.id, metric.unit, better_name(metric.better),
               metric.deterministic ? "yes" : "no", metric.help);
  }
  fmt::print("\n## Methods\n\n| id | method | source |\n| --- | --- | --- |\n");
  for (const Method& method : methods()) {
    fmt::print("| `{}` | {} | {} |\n", method.id, method.title, method.paper);
  }
}

}  // namespace

void add_describe(CLI::App& root, Cli& cli) {
  add_verb(root, cli, "describe", "Every parameter, metric and method, as Markdown or JSON",
           [&cli] {
             if (cli.options.json) {
               print_json(Json{{"parameters", params_json(experiments::run_spec_params())},
                               {"compress", params_json(compress_params())},
                               {"metrics", metrics_json()},
                               {"methods", methods_json()}},
                          2);
             } else {
               print_markdown();
             }
             return 0;
           });
}

}  // namespace lathe::app
