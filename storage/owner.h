// Which process writes a run: enough facts to tell, after a crash, a dead owner from a living one.
// A process number alone is not enough, because numbers are used again.
#pragma once

#include <cstdint>
#include <string>

namespace lathe::storage {

struct Owner {
  std::int64_t pid = 0;
  std::int64_t start_ticks = 0;  // since boot, /proc/<pid>/stat field 22
  std::string boot_id;           // changes with each boot and differs between machines
  std::string pid_namespace;     // pid means something only within it
  std::string host;              // for people
};

// This process.
Owner this_process();

// Beats of an owner in another pid namespace may be this late before it counts as dead.
inline constexpr std::int64_t kHeartbeatLimitMs = 60'000;
inline constexpr std::int64_t kHeartbeatMs = 5'000;

// False when the process is certainly gone, or was started anew under its number. WAL binds a store
// to one machine, so another boot id means that the owner ended with its boot. Only where the
// process cannot be seen (another pid namespace) the age of its last heartbeat decides.
bool is_alive(const Owner& owner, std::int64_t heartbeat_age_ms);

}  // namespace lathe::storage
