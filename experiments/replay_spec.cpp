// The spec that repeats a record: what the recording machine decided is taken from the record.
#include <fmt/core.h>

#include "experiments/replay.h"

namespace lathe::experiments {

Result<RunSpec> spec_to_replay(const RecordedRun& original) {
  Result<RunSpec> spec = run_spec_from_json(original.spec);
  if (!spec) {
    return Error{spec.error().kind,
                 fmt::format("the recorded spec of {} cannot be read by this build: {}",
                             original.id, spec.error().message),
                 "replay it with the build named in its environment (lathe show)"};
  }
  if (!original.environment.empty() && original.environment.front().is_object()) {
    const Json& recorded = original.environment.front();
    const auto backend = recorded.find(kEnvironmentBackend);
    const auto threads = recorded.find(kEnvironmentThreads);
    if (backend != recorded.end() && backend->is_string()) {
      spec->device = backend->get<std::string>();
    }
    if (threads != recorded.end() && threads->is_number_integer()) {
      spec->threads = threads->get<std::int64_t>();
    }
  }
  return spec;
}

}  // namespace lathe::experiments
