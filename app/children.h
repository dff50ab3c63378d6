// Child processes of this program, one per run: `lathe sweep --jobs N`.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "experiments/runner.h"

namespace lathe::app {

// Thread-safe.
class Children {
 public:
  // `arguments` stand before the verb: the store and the like.
  explicit Children(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

  // `lathe <arguments> --quiet resume RUN`. Blocks; the exit code, minus the signal that ended the
  // child, or 130 without a child once interrupt() was called. The child's standard output is
  // dropped: its results are in the store.
  int run(const experiments::RunRequest& request);
  // Asks every child, once, to save and end.
  void interrupt();

 private:
  std::vector<std::string> arguments_;
  std::mutex mutex_;
  std::set<pid_t> running_;
  bool interrupted_ = false;
};

}  // namespace lathe::app
