// See workplace.h.
#include "app/workplace.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "app/environment.h"
#include "app/render.h"
#include "engine/base/paths.h"

namespace lathe::app {

using namespace experiments;

Workplace::Workplace(const GlobalOptions& options)
    : options_(options),
      children_(child_arguments(options)),
      signals_([this](int) {
        control_.stop(StopKind::kInterrupt);
        children_.interrupt();
      }),
      console_(options) {}

Result<std::unique_ptr<Workplace>> Workplace::open(const GlobalOptions& options) {
  std::unique_ptr<Workplace> place(new Workplace(options));
  auto store = storage::open_store(store_path(options));
  if (!store) {
    return store.error();
  }
  place->store_ = std::move(*store);
  auto catalog = storage::open_catalog(store_path(options));
  if (!catalog) {
    return catalog.error();
  }
  place->catalog_ = std::move(*catalog);
  if (const auto dead = place->store_->mark_dead_runs(); !dead) {
    return dead.error();
  }
  place->bus_.add(*place->store_);
  place->bus_.add(place->console_);
  place->ports_.sink = &place->bus_;
  place->ports_.control = &place->control_;
  place->ports_.trouble = [store_port = place->store_.get()] { return store_port->failure(); };
  place->ports_.environment = environment();
  place->ports_.checkpoint_root = checkpoint_root();
  return place;
}

ChildRunner Workplace::child() {
  return [this](const RunRequest& request) {
    const Result<void> written = store_->flush();  // the child reads its run there
    return written ? children_.run(request) : exit_code(written.error().kind);
  };
}

int Workplace::finish_with(const Error& error) {
  if (const Result<void> written = store_->flush(); !written) {
    return report_error(written.error(), options_);
  }
  return report_error(error, options_);
}

int Workplace::interrupted(const std::string& id) {
  if (const Result<void> written = store_->flush(); !written) {
    return report_error(written.error(), options_);
  }
  fmt::print(stderr, "lathe: interrupted; the state is saved. To go on: lathe resume {}\n", id);
  return signals_.exit_code();
}

int Workplace::finish_run(const RunId& run, const RunOutcome& outcome) {
  if (outcome.error) {
    return finish_with(*outcome.error);
  }
  if (outcome.state == RunState::kInterrupted) {
    return interrupted(run);
  }
  const Result<void> written = store_->flush();
  if (!written) {
    return report_error(written.error(), options_);
  }
  const auto detail = catalog_->run(run);
  if (!detail) {
    return report_error(detail.error(), options_);
  }
  if (options_.json) {
    print_json(Json{{"event", "result"}, {"run", to_json(detail->summary)}});
  } else {
    fmt::print("{}", runs_table({detail->summary}));
  }
  return 0;
}

void Workplace::print_results(const SweepId& sweep) {
  auto runs = catalog_->runs(false);
  if (!runs) {
    report_error(runs.error(), options_);
    return;
  }
  std::erase_if(*runs, [&](const storage::RunSummary& run) { return run.sweep != sweep; });
  std::sort(runs->begin(), runs->end(),
            [](const auto& a, const auto& b) { return a.point < b.point; });
  if (!options_.json) {
    fmt::print("{}", runs_table(*runs));
    return;
  }
  Json rows = Json::array();
  for (const storage::RunSummary& run : *runs) {
    rows.push_back(to_json(run));
  }
  print_json(Json{{"event", "result"}, {"sweep", sweep}, {"runs", rows}});
}

int Workplace::finish_sweep(const SweepId& sweep, const SweepOutcome& outcome) {
  if (outcome.trouble) {
    return finish_with(*outcome.trouble);
  }
  if (outcome.stopped == StopKind::kInterrupt) {
    return interrupted(sweep);
  }
  if (const Result<void> written = store_->flush(); !written) {
    return report_error(written.error(), options_);
  }
  print_results(sweep);
  if (outcome.failed == 0) {
    return 0;
  }
  return report_error(
      {ErrorKind::kPartial,
       fmt::format("{} of {} points of sweep {} failed", outcome.failed,
                   outcome.failed + outcome.done, sweep),
       fmt::format("`lathe show {}` tells why, `lathe retry {}` runs them again", sweep, sweep)},
      options_);
}

std::vector<std::string> child_arguments(const GlobalOptions& options) {
  return {"--store", store_path(options)};
}

std::string checkpoint_root() {
  return (data_dir() / "checkpoints").string();
}

void apply_machine_options(const GlobalOptions& options, Json& document) {
  if (options.device != "auto") {
    document["device"] = options.device;
  }
  if (options.threads > 0) {
    document["threads"] = options.threads;
  }
}

}  // namespace lathe::app
