// See environment.h.
#include "app/environment.h"

#include <sys/utsname.h>

#include "engine/backend/host.h"
#include "engine/base/build_info.h"

namespace lathe::app {

Json environment() {
  const BuildInfo& build = build_info();
  utsname system{};
  uname(&system);
  return {
      {"version", build.version},   {"commit", build.commit},
      {"compiler", build.compiler}, {"build_type", build.build_type},
      {"flags", build.flags},       {"cpu", cpu_name()},
      {"host", system.nodename},    {"kernel", std::string(system.sysname) + " " + system.release},
      {"machine", system.machine}};
}

}  // namespace lathe::app
