// Runs a program nobody trusts, as code written by a model is: in its own user, mount, network, IPC
// and process namespaces, as nobody, over a file tree that has only /usr (read-only) and a small
// private /tmp in memory, with a clean environment, no inherited descriptors, no network, and
// limits on time, memory, processes and files. Whatever it leaves is gone when it ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace lathe {

struct SandboxLimits {
  double wall_secs = 3.0;
  std::int64_t memory_bytes = std::int64_t{512} << 20;  // address space of each process
  std::int64_t disk_bytes = std::int64_t{16} << 20;     // of /tmp, all files together
  std::int64_t processes = 8;                           // and threads, at any one time
};

struct SandboxRun {
  bool timed_out = false;  // it was ended when its time was over
  int status = 0;          // as a shell tells it: the exit code, or 128 + the signal's number
  std::string output;      // the last 64 KiB of standard output and error
};

// Runs argv (a path under /usr first) with `input` on standard input; returns when all of its
// processes are gone. kDevice, with the step that the kernel refused, where it cannot be confined:
// then it is not run at all.
Result<SandboxRun> run_sandboxed(const std::vector<std::string>& argv, std::string_view input,
                                 const SandboxLimits& limits);

// Whether programs can be confined here: kDevice where not.
Result<void> check_sandbox();

}  // namespace lathe
