// Writing the store. A writer thread takes events in batches (at most 250 ms or 512 events a
// transaction); on_event blocks when its queue is full, because a dropped row is an error. Several
// processes may write to one file (WAL, busy timeout).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "experiments/events.h"

namespace lathe::storage {

struct StoreOptions {
  // Called once on the writer thread when events can no longer be written (disk full, store locked
  // for long): the time to stop training. The events are kept in memory and tried again.
  std::function<void(const Error&)> on_failure;
  // How long to wait for another process's transaction before it counts as an error.
  std::chrono::milliseconds busy_timeout{10'000};
};

class RunStore : public experiments::EventSink {
 public:
  // Takes any event but Preparing, which is of the moment. Events of one run come from one process
  // at a time; a run's first event is RunCreated. Blocks while the queue is full, unless writing
  // has failed: then events that find the queue full are lost, and the error says how many.
  void on_event(const experiments::Event& event) override = 0;
  // Blocks until every event given so far is on disk; the first write error since the last call.
  virtual Result<void> flush() = 0;
  // Set while events cannot be written. Cheap: for asking after each step.
  virtual std::optional<Error> failure() const = 0;

  // `run` is a run's whole id here and below; kUsage if there is none.
  virtual Result<void> set_tags(const std::string& run, const std::vector<std::string>& tags) = 0;
  virtual Result<void> set_note(const std::string& run, const std::string& note) = 0;
  virtual Result<void> rename(const std::string& run, const std::string& name) = 0;
  // Trash keeps everything (kUsage for a run that is going on); restore undoes it; purge deletes
  // trashed runs' rows (the paths of their checkpoints are returned for the caller to remove).
  virtual Result<void> trash(const std::string& run) = 0;
  virtual Result<void> restore(const std::string& run) = 0;
  virtual Result<std::vector<std::string>> purge_trash() = 0;
  // Runs and sweeps whose owner process no longer lives become interrupted; the runs' ids. The same
  // of several processes is found by only one of them.
  virtual Result<std::vector<std::string>> mark_dead_runs() = 0;
};

// Creates or migrates the file (a copy of an older version is kept beside it). kStore if it is
// damaged, locked or of a newer version; kDisk if it cannot be written.
Result<std::unique_ptr<RunStore>> open_store(const std::string& file, StoreOptions options = {});

// Reads the whole file and names what is damaged (kStore); for `lathe doctor`.
Result<void> check_store(const std::string& file);

}  // namespace lathe::storage
