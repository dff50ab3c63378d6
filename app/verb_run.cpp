// lathe run CONFIG [key=value ...]: one run.
#include "app/cli.h"
#include "app/config_source.h"
#include "app/verb_list.h"
#include "app/workplace.h"
#include "experiments/ids.h"

namespace lathe::app {
namespace {

struct RunOptions {
  std::string config;
  std::vector<std::string> overrides;
};

int run_config(const GlobalOptions& options, const RunOptions& chosen) {
  auto spec = load_run_spec(chosen.config, chosen.overrides);
  if (!spec) {
    return report_error(spec.error(), options);
  }
  Json document = experiments::to_json(*spec);
  apply_machine_options(options, document);
  spec = experiments::run_spec_from_json(document);
  if (!spec) {
    return report_error(spec.error(), options);
  }
  const auto place = Workplace::open(options);
  if (!place) {
    return report_error(place.error(), options);
  }
  experiments::RunRequest request;
  request.run = experiments::new_id();
  request.spec = std::move(*spec);
  return (*place)->finish_run(request.run, run_one(request, (*place)->ports()));
}

}  // namespace

void add_run(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<RunOptions>();
  CLI::App* verb = add_verb(root, cli, "run", "Train one model",
                            [&cli, chosen] { return run_config(cli.options, *chosen); });
  verb->add_option("config", chosen->config, "a JSON file or a config's name")->required();
  verb->add_option("overrides", chosen->overrides, "key=value, e.g. rank=16 train.steps=500");
}

}  // namespace lathe::app
