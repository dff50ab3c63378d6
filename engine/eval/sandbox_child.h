// The confined side of the sandbox, between fork and exec. The parent has threads, so nothing here
// may allocate or lock: all that is needed is prepared beforehand.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/eval/sandbox.h"

namespace lathe::sandbox {

// What can be refused, in order; the names are for the message.
enum class Step : std::int32_t {
  kBecomeNobody,
  kNamespaces,
  kIdentity,
  kSecondProcess,
  kPrivateMounts,
  kPrivateRoot,
  kSystemFolders,
  kDevices,
  kPrivateTemp,
  kReadOnlyRoot,
  kEnterRoot,
  kDescriptors,
  kLimits,
  kProgram
};
inline constexpr std::array<std::string_view, 14> kStepNames{
    "become an unprivileged user",
    "create user, network, mount and process namespaces",
    "map the user inside the namespace",
    "start a process inside the namespace",
    "make mounts private",
    "mount a private root",
    "mount the system folders read-only",
    "mount the devices",
    "mount a private /tmp",
    "make the root read-only",
    "enter the private root",
    "close inherited descriptors",
    "set the limits",
    "start the program"};

// Why the child gave up, as it comes through the status pipe.
struct Refusal {
  Step step = Step::kBecomeNobody;
  std::int32_t error = 0;  // errno
};

struct Prepared {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* uid_map = nullptr;  // "65534 1000 1"
  const char* gid_map = nullptr;
  const char* temp_options = nullptr;  // of the tmpfs: size, inodes
  bool is_root = false;
  pid_t parent = 0;
  int input = -1, output = -1, status = -1;  // descriptors
  SandboxLimits limits;
};

// Never returns: executes the program, or writes a Refusal and ends.
[[noreturn]] void become_sandbox(const Prepared& prepared);

}  // namespace lathe::sandbox
