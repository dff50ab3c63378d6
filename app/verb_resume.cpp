// lathe resume ID: a run or sweep goes on from its last checkpoint. lathe retry ID: the failed
// points of a sweep once more. Both may be called again: what is done stays done.
#include <fmt/core.h>

#include "app/cli.h"
#include "app/stored_work.h"
#include "app/verb_list.h"
#include "app/workplace.h"

namespace lathe::app {
namespace {

struct ResumeOptions {
  std::string id;
  std::int64_t from_step = -1;
  std::int64_t jobs = 1;
};

int run_work(Workplace& place, experiments::SweepWork work, std::int64_t jobs) {
  work.jobs = jobs;
  return place.finish_sweep(work.sweep, run_sweep(work, place.ports(), place.child()));
}

int nothing_to_do(const GlobalOptions& options, const std::string& what) {
  if (!options.quiet) {
    fmt::print(stderr, "lathe: {}\n", what);
  }
  return 0;
}

int resume(const GlobalOptions& options, const ResumeOptions& chosen) {
  const auto opened = Workplace::open(options);
  if (!opened) {
    return report_error(opened.error(), options);
  }
  Workplace& place = **opened;
  const auto from = chosen.from_step >= 0 ? std::optional(chosen.from_step) : std::nullopt;
  const auto work = work_to_continue(place.catalog(), chosen.id, from);
  if (!work) {
    return report_error(work.error(), options);
  }
  if (work->sweep) {
    return run_work(place, *work->sweep, chosen.jobs);
  }
  if (work->run) {
    return place.finish_run(work->run->run, run_one(*work->run, place.ports()));
  }
  return nothing_to_do(options, fmt::format("{} is done; nothing is left to run", chosen.id));
}

int retry(const GlobalOptions& options, const ResumeOptions& chosen) {
  const auto opened = Workplace::open(options);
  if (!opened) {
    return report_error(opened.error(), options);
  }
  const auto work = work_to_retry((*opened)->catalog(), chosen.id);
  if (!work) {
    return report_error(work.error(), options);
  }
  if (work->runs.empty()) {
    return nothing_to_do(options, fmt::format("no point of {} failed", chosen.id));
  }
  return run_work(**opened, *work, chosen.jobs);
}

void add_jobs(CLI::App& verb, ResumeOptions& chosen) {
  verb.add_option("--jobs", chosen.jobs, "points at once, each in a process of its own")
      ->check(CLI::Range(1, 1024));
}

}  // namespace

void add_resume(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<ResumeOptions>();
  CLI::App* verb = add_verb(root, cli, "resume", "Go on with an interrupted run or sweep",
                            [&cli, chosen] { return resume(cli.options, *chosen); });
  verb->add_option("id", chosen->id, "id of a run or sweep, a unique beginning of it, or its name")
      ->required();
  verb->add_option("--from", chosen->from_step,
                   "a run's checkpoint of this step instead of the newest; 0 begins anew")
      ->check(CLI::NonNegativeNumber);
  add_jobs(*verb, *chosen);
}

void add_retry(CLI::App& root, Cli& cli) {
  const auto chosen = std::make_shared<ResumeOptions>();
  CLI::App* verb = add_verb(root, cli, "retry", "Run the failed points of a sweep again",
                            [&cli, chosen] { return retry(cli.options, *chosen); });
  verb->add_option("id", chosen->id, "id of a sweep, a unique beginning of it, or its name")
      ->required();
  add_jobs(*verb, *chosen);
}

}  // namespace lathe::app
