// See owner.h. Reads /proc (Linux).
#include "storage/owner.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lathe::storage {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Field 22 of /proc/<pid>/stat, 0 if there is no such process or it is a zombie. The name in
// parentheses may hold blanks and parentheses, so counting starts after the last one.
std::int64_t start_ticks_of(std::int64_t pid) {
  const std::string stat = first_line("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) {
    return 0;
  }
  std::istringstream fields(stat.substr(name_end + 1));
  std::string state;
  fields >> state;
  if (state == "Z" || state == "X") {
    return 0;
  }
  std::string skipped;
  constexpr int kBetweenStateAndStart = 18;
  for (int i = 0; i < kBetweenStateAndStart; ++i) {
    fields >> skipped;
  }
  std::int64_t ticks = 0;
  fields >> ticks;
  return ticks;
}

std::string boot_id() {
  return first_line("/proc/sys/kernel/random/boot_id");
}

std::string pid_namespace() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
}

}  // namespace

Owner this_process() {
  Owner owner;
  owner.pid = getpid();
  owner.start_ticks = start_ticks_of(owner.pid);
  owner.boot_id = boot_id();
  owner.pid_namespace = pid_namespace();
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == 0) {
    owner.host = name.data();
  }
  return owner;
}

bool is_alive(const Owner& owner, std::int64_t heartbeat_age_ms) {
  if (owner.boot_id != boot_id()) {
    return false;
  }
  if (owner.pid_namespace != pid_namespace()) {
    return heartbeat_age_ms < kHeartbeatLimitMs;
  }
  const std::int64_t ticks = start_ticks_of(owner.pid);
  return ticks != 0 && ticks == owner.start_ticks;
}

}  // namespace lathe::storage
