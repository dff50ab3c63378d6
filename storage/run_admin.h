// What is done to stored runs besides recording them: names, notes, tags, trash, dead owners. Each
// runs inside the caller's transaction on the writer thread and throws SqlFailure.
#pragma once

#include <string>
#include <vector>

#include "storage/recorder.h"

namespace lathe::storage {

void set_tags(Connection& connection, Recorder& recorder, const std::string& run,
              const std::vector<std::string>& tags);
void set_note(Connection& connection, Recorder& recorder, const std::string& run,
              const std::string& note);
void rename_run(Connection& connection, Recorder& recorder, const std::string& run,
                const std::string& name);
void trash_run(Connection& connection, Recorder& recorder, const std::string& run);
void restore_run(Connection& connection, Recorder& recorder, const std::string& run);
std::vector<std::string> purge_trash(Connection& connection, Recorder& recorder);
std::vector<std::string> mark_dead_runs(Connection& connection, Recorder& recorder);

// Whether the process of this key lives; false for none (0).
bool process_lives(Connection& connection, std::int64_t process);

}  // namespace lathe::storage
