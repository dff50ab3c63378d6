// lathe eval MODEL --task T --data FILE: measures a model; the result is recorded as a run of kind
// "eval".
#include <fmt/core.h>

#include <algorithm>

#include "app/config_source.h"
#include "app/open_model.h"
#include "app/table.h"
#include "app/verb_list.h"
#include "app/workplace.h"
#include "engine/base/format.h"
#include "experiments/ids.h"
#include "experiments/metrics.h"
#include "experiments/settings.h"

namespace lathe::app {
namespace {

using namespace experiments;

struct EvalOptions {
  std::string model;
  std::vector<std::string> settings;  // key=value of EvalSpec, from the options
  bool allow_code_execution = false;
};

void print_outcome(const Json& outcome) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [metric, value] : outcome["metrics"].items()) {
    const MetricDef* def = find_metric(metric);
    rows.push_back({metric, fmt::format("{:.6g}", value.get<double>()),
                    def == nullptr ? "" : std::string(def->help)});
  }
  fmt::print("rule: {}\n{}recorded as run {}\n", outcome["rule"].get<std::string>(),
             table_text({{"metric"}, {"value", true}, {"what"}}, rows),
             outcome["run"].get<std::string>());
}

int eval_model(const GlobalOptions& options, const EvalOptions& chosen) {
  const auto spec = from_settings<EvalSpec>(chosen.settings);
  if (!spec) {
    return report_error(spec.error(), options);
  }
  const auto opened = Workplace::open(options);
  if (!opened) {
    return report_error(opened.error(), options);
  }
  Workplace& place = **opened;
  const EvalRequest request{.run = new_id(),
                            .model = chosen.model,
                            .spec = *spec,
                            .allow_code_execution = chosen.allow_code_execution};
  EvalPorts ports;
  ports.sink = place.ports().sink;
  ports.environment = place.ports().environment;
  ports.open = [&](const std::string& model) {
    return open_model(place.catalog(), model, options, spec->int8());
  };
  ports.progress = [&](double share, const std::string& what) {
    ports.sink->on_event(Preparing{request.run, share, what});
    return place.ports().control->stop_kind() == StopKind::kNone;
  };
  const auto outcome = run_eval(request, ports);
  if (!outcome) {
    const int code = place.finish_with(outcome.error());
    return outcome.error().kind == ErrorKind::kInterrupted ? place.signal_exit_code() : code;
  }
  if (const Result<void> written = place.flush(); !written) {
    return report_error(written.error(), options);
  }
  if (options.json) {
    print_json(Json{{"event", "result"}, {"eval", *outcome}});
  } else {
    print_outcome(*outcome);
  }
  return 0;
}

}  // namespace

void add_eval(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<EvalOptions>();
  CLI::App* verb = add_verb(root, cli, "eval", "Measure a model on a text or a set",
                            [&cli, chosen] { return eval_model(cli.options, *chosen); });
  verb->add_option("model", chosen->model,
                   "a .gguf file, a Hugging Face or adapter's folder, an installed model or a run "
                   "(lathe ls models)");
  // One option per field of EvalSpec: "--label-file" for label_file.
  std::vector<ParamInfo> params;
  append_params<EvalSpec>("", params);
  for (const ParamInfo& param : params) {
    std::string option = "--" + param.path;
    std::replace(option.begin(), option.end(), '_', '-');
    const auto keep = [chosen, path = param.path](const std::string& value) {
      chosen->settings.push_back(path + "=" + value);
    };
    if (param.type == ParamType::kBool) {
      verb->add_flag_callback(
          option, [keep] { keep("true"); }, param.help);
      continue;
    }
    CLI::Option* added = verb->add_option_function<std::string>(option, keep, param.help);
    if (!param.choices.empty()) {
      added->check(CLI::IsMember(param.choices));
    }
    if (param.path == "task" || param.path == "data") {
      added->required();
    }
  }
  verb->add_flag("--allow-code-execution", chosen->allow_code_execution,
                 "humaneval: run the samples, confined, without network");
}

}  // namespace lathe::app
