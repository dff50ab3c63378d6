// Writing the store. A writer thread takes events in batches (at most 250 ms or 512 events a
// transaction); on_event blocks when its queue is full, because a dropped row is an error. Several
// processes may write to one file (WAL, busy timeout).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "experiments/events.h"

namespace lathe::storage {

class RunStore : public experiments::EventSink {
 public:
  // Blocks until every event given so far is on disk; the first write error since the last call.
  virtual Result<void> flush() = 0;

  virtual Result<void> set_tags(const std::string& run, const std::vector<std::string>& tags) = 0;
  virtual Result<void> set_note(const std::string& run, const std::string& note) = 0;
  virtual Result<void> rename(const std::string& run, const std::string& name) = 0;
  // Trash keeps everything; restore undoes it; purge deletes trashed runs' rows (their checkpoint
  // folders are returned for the caller to remove).
  virtual Result<void> trash(const std::string& run) = 0;
  virtual Result<void> restore(const std::string& run) = 0;
  virtual Result<std::vector<std::string>> purge_trash() = 0;
  // Runs whose owner process no longer lives become interrupted; their ids.
  virtual Result<std::vector<std::string>> mark_dead_runs() = 0;
};

// Creates or migrates the file (a copy of an older version is kept beside it). kStore if it is
// damaged, locked or of a newer version; kDisk if it cannot be written.
Result<std::unique_ptr<RunStore>> open_store(const std::string& file);

}  // namespace lathe::storage
