// Where everything meets: the store, the terminal, the signals and the runner, wired for a verb
// that trains.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/children.h"
#include "app/cli.h"
#include "app/console_sink.h"
#include "app/signal_watch.h"
#include "experiments/event_bus.h"
#include "experiments/scheduler.h"

namespace lathe::app {

class Workplace {
 public:
  // Opens (or creates) the store and marks runs whose process died.
  static Result<std::unique_ptr<Workplace>> open(const GlobalOptions& options);

  experiments::RunnerPorts& ports() { return ports_; }
  storage::RunCatalog& catalog() { return *catalog_; }
  experiments::ChildRunner child();

  // Blocks until all is on disk. Reports what went wrong; the exit code.
  int finish_run(const experiments::RunId& run, const experiments::RunOutcome& outcome);
  int finish_sweep(const experiments::SweepId& sweep, const experiments::SweepOutcome& outcome);
  // Blocks until all is on disk.
  Result<void> flush() { return store_->flush(); }
  int signal_exit_code() const { return signals_.exit_code(); }
  // The exit code of an error, after what was recorded is on disk.
  int finish_with(const Error& error);

 private:
  explicit Workplace(const GlobalOptions& options);
  // The signal's exit code after telling how to go on.
  int interrupted(const std::string& id);
  void print_results(const experiments::SweepId& sweep);

  const GlobalOptions& options_;
  experiments::RunControl control_;
  Children children_;
  SignalWatch signals_;
  ConsoleSink console_;
  std::unique_ptr<storage::RunStore> store_;
  std::unique_ptr<storage::RunCatalog> catalog_;
  experiments::EventBus bus_;
  experiments::RunnerPorts ports_;
};

// The options that a child process needs to find the same store.
std::vector<std::string> child_arguments(const GlobalOptions& options);

// Where checkpoints of all runs are kept.
std::string checkpoint_root();

// --device and --threads as part of a run's or a sweep's document.
void apply_machine_options(const GlobalOptions& options, Json& document);

}  // namespace lathe::app
