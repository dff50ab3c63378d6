// What this program was built from: kept with every run, so that a replay can say what differs.
#pragma once

#include <string>

namespace lathe {

struct BuildInfo {
  std::string version;   // of the project, e.g. "0.1.0"
  std::string commit;    // 12 hex digits, "-dirty" behind them if files were changed; or "unknown"
  std::string compiler;  // e.g. "GNU 12.2.0"
  std::string build_type;  // e.g. "Release"
  std::string flags;       // of the compiler, beyond those every target has
};

// The same for the whole life of the process. In its own library (lathe_build_info), because its
// commit changes often: only programs that show it are linked again.
const BuildInfo& build_info();

}  // namespace lathe
