// See host_memory.h.
#include "experiments/host_memory.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace lathe::experiments {
namespace {

std::optional<std::int64_t> read_number(const std::string& path) {
  std::ifstream in(path);
  std::int64_t number = 0;
  return in >> number ? std::optional(number) : std::nullopt;  // "max" is no number
}

std::optional<std::int64_t> meminfo(const std::string& key) {
  std::ifstream in("/proc/meminfo");
  std::string name;
  std::int64_t kib = 0;
  std::string unit;
  while (in >> name >> kib && std::getline(in, unit)) {
    if (name == key + ":") {
      return kib * 1024;
    }
  }
  return std::nullopt;
}

// The value behind a word in a cgroup's memory.stat.
std::int64_t stat_value(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  std::string name;
  std::int64_t value = 0;
  while (in >> name >> value) {
    if (name == key) {
      return value;
    }
  }
  return 0;
}

// Limit less use, where file pages that can be dropped do not count as used.
std::optional<std::int64_t> group_remainder(const std::string& folder, const char* limit_name,
                                            const char* usage_name, const char* cache_name) {
  const auto limit = read_number(folder + "/" + limit_name);
  const auto usage = read_number(folder + "/" + usage_name);
  if (!limit || !usage) {
    return std::nullopt;
  }
  const std::int64_t cache = stat_value(folder + "/memory.stat", cache_name);
  return std::max<std::int64_t>(0, *limit - std::max<std::int64_t>(0, *usage - cache));
}

// The group this process is in: "/proc/self/cgroup" has "0::/path" for v2.
std::string v2_path() {
  std::ifstream in("/proc/self/cgroup");
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("0::")) {
      return line.substr(3);
    }
  }
  return "/";
}

// The tightest of the groups from this process's own up to the root.
std::optional<std::int64_t> group_available() {
  std::optional<std::int64_t> least;
  const auto consider = [&](std::optional<std::int64_t> remainder) {
    if (remainder && (!least || *remainder < *least)) {
      least = remainder;
    }
  };
  std::string path = v2_path();
  for (;;) {
    consider(
        group_remainder("/sys/fs/cgroup" + path, "memory.max", "memory.current", "inactive_file"));
    const std::size_t slash = path.rfind('/');
    if (path.size() <= 1 || slash == std::string::npos) {
      break;
    }
    path.resize(std::max<std::size_t>(1, slash));
  }
  consider(group_remainder("/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                           "memory.usage_in_bytes", "total_inactive_file"));
  return least;
}

}  // namespace

std::int64_t process_bytes() {
  std::ifstream in("/proc/self/statm");
  std::int64_t total_pages = 0;
  std::int64_t resident_pages = 0;
  in >> total_pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

std::optional<AvailableMemory> available_memory() {
  const auto machine = meminfo("MemAvailable");
  const auto group = group_available();
  if (group && (!machine || *group < *machine)) {
    return AvailableMemory{*group, "the control group"};
  }
  if (machine) {
    return AvailableMemory{*machine, "the machine"};
  }
  return std::nullopt;
}

}  // namespace lathe::experiments
