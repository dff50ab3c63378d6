// lathe sweep CONFIG [axes]: many runs, planned, one after another or in child processes.
#include <fmt/core.h>

#include "app/cli.h"
#include "app/config_source.h"
#include "app/table.h"
#include "app/verb_list.h"
#include "app/workplace.h"
#include "engine/base/format.h"
#include "experiments/calibration.h"
#include "experiments/predict.h"

namespace lathe::app {
namespace {

using namespace experiments;

struct SweepOptions {
  std::string config;
  std::vector<std::string> axes;
  std::vector<std::string> where;
  std::int64_t seeds = 0;
  std::int64_t trials = 0;
  std::int64_t jobs = 0;
  bool plan = false;
};

// The config with what the command line changes of it.
Result<SweepSpec> load_sweep(const GlobalOptions& options, const SweepOptions& chosen) {
  auto document = load_config(chosen.config);
  if (!document) {
    return document.error();
  }
  apply_machine_options(options, *document);
  auto sweep = sweep_from_json(*document);
  if (!sweep) {
    return sweep.error();
  }
  for (const std::string& assignment : chosen.axes) {
    if (const Result<void> applied = apply_axis(assignment, *sweep); !applied) {
      return applied.error();
    }
    const auto path = resolve_param(assignment.substr(0, assignment.find('=')));
    if (path && *path == "train.steps") {
      sweep->target_secs = 0;  // the person knows better
    }
  }
  sweep->where.insert(sweep->where.end(), chosen.where.begin(), chosen.where.end());
  sweep->seeds = chosen.seeds > 0 ? chosen.seeds : sweep->seeds;
  sweep->jobs = chosen.jobs > 0 ? chosen.jobs : sweep->jobs;
  if (chosen.trials > 0) {
    sweep->search = "random";
    sweep->trials = chosen.trials;
  }
  return sweep;
}

// Processes that run at once share the machine's threads, and the spec says so, because the number
// of threads is part of what a replay repeats.
Result<void> share_threads(SweepSpec& sweep) {
  if (sweep.jobs <= 1 || sweep.base.value("threads", std::int64_t{0}) > 0) {
    return {};
  }
  const auto backend = make_backend("cpu", 0);
  if (!backend) {
    return backend.error();
  }
  const std::int64_t threads = (*backend)->parallelism();
  sweep.base["threads"] = std::max<std::int64_t>(1, threads / sweep.jobs);
  return {};
}

Result<void> print_plan(const GlobalOptions& options, const SweepSpec& wanted) {
  const auto sweep = calibrate(wanted, make_predictor(0));
  if (!sweep) {
    return sweep.error();
  }
  const auto points = expand(*sweep, make_predictor(0));
  if (!points) {
    return points.error();
  }
  const auto speed = measure_speed(*points);
  if (!speed) {
    return speed.error();
  }
  double all_secs = 0;
  Json list = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const PlannedPoint& point : *points) {
    const bool runs = point.excluded_because.empty();
    const double secs = runs ? expected_secs(point, *speed) : 0;
    all_secs += secs;
    rows.push_back({point.label, count_text(static_cast<double>(point.predicted_params)),
                    bytes_text(point.predicted_stored_bytes),
                    bytes_text(point.predicted_peak_bytes),
                    count_text(point.predicted_flops_per_step), runs ? duration_text(secs) : "-",
                    runs ? "" : "left out: " + point.excluded_because});
    list.push_back({{"label", point.label},
                    {"predicted_params", point.predicted_params},
                    {"predicted_stored_bytes", point.predicted_stored_bytes},
                    {"predicted_peak_bytes", point.predicted_peak_bytes},
                    {"predicted_flops_per_step", point.predicted_flops_per_step},
                    {"expected_secs", secs},
                    {"excluded_because", point.excluded_because},
                    {"spec", point.spec}});
  }
  if (options.json) {
    print_json(Json{{"points", list}, {"expected_secs", all_secs}}, 2);
    return {};
  }
  fmt::print("{}\n{} points, about {} in all\n",
             table_text({{"point"},
                         {"parameters", true},
                         {"stored", true},
                         {"peak", true},
                         {"FLOP/step", true},
                         {"time", true},
                         {""}},
                        rows),
             points->size(), duration_text(all_secs));
  return {};
}

int run_sweep_config(const GlobalOptions& options, const SweepOptions& chosen) {
  auto sweep = load_sweep(options, chosen);
  if (!sweep) {
    return report_error(sweep.error(), options);
  }
  if (const Result<void> shared = share_threads(*sweep); !shared) {
    return report_error(shared.error(), options);
  }
  if (chosen.plan) {
    const Result<void> printed = print_plan(options, *sweep);
    return printed ? 0 : report_error(printed.error(), options);
  }
  const auto opened = Workplace::open(options);
  if (!opened) {
    return report_error(opened.error(), options);
  }
  Workplace& place = **opened;
  sweep = calibrate(*sweep, make_predictor(0));
  if (!sweep) {
    return report_error(sweep.error(), options);
  }
  const auto work = begin_sweep(*sweep, make_predictor(0), *place.ports().sink);
  if (!work) {
    return place.finish_with(work.error());
  }
  return place.finish_sweep(work->sweep, run_sweep(*work, place.ports(), place.child()));
}

}  // namespace

void add_sweep(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<SweepOptions>();
  CLI::App* verb = add_verb(root, cli, "sweep", "Train a model at many settings and compare",
                            [&cli, chosen] { return run_sweep_config(cli.options, *chosen); });
  verb->add_option("config", chosen->config, "a JSON file or a config's name")->required();
  verb->add_option("axes", chosen->axes,
                   "key=a,b,c, key=range(lo,hi,step), key=log(lo,hi,count), key=uniform(lo,hi) or "
                   "key=value");
  verb->add_option("--where", chosen->where, "drop points, e.g. 'mem.peak < 2GiB'");
  verb->add_option("--seeds", chosen->seeds, "replicates of each point")
      ->check(CLI::Range(1, 10000));
  verb->add_option("--trials", chosen->trials, "random search with so many points")
      ->check(CLI::Range(1, 100000));
  verb->add_option("--jobs", chosen->jobs, "points at once, each in a process of its own")
      ->check(CLI::Range(1, 1024));
  verb->add_flag("--plan", chosen->plan, "list the points with bytes and time; run nothing");
}

}  // namespace lathe::app
