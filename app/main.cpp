// The one program.
#include <unistd.h>

#include <cstdlib>

#include "app/cli.h"
#include "engine/base/paths.h"

namespace {

// OpenMP's threads spin while they wait for each other, and on a machine that does anything else at
// the same time they spin on the very core their partner needs: training beside a compiler was seen
// to run at a tenth of its speed. The run-time library reads the policy once, when it is loaded, so
// the program begins again with the environment it wants. Whoever sets the policy keeps it.
void let_waiting_threads_sleep(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) {
    return;
  }
  setenv("OMP_WAIT_POLICY", "passive", 1);
  execv(lathe::executable_path().c_str(), argv);  // where that fails, it goes on as it is
}

}  // namespace

int main(int argc, char** argv) {
  let_waiting_threads_sleep(argv);
  return lathe::app::run_command_line(argc, argv);
}
