// The one program.
#include <unistd.h>

#include <cstdlib>

#include "app/cli.h"
#include "app/signal_watch.h"
#include "engine/base/paths.h"

namespace {

// OpenMP's threads spin while they wait for each other, and on a machine that does anything else at
// the same time they spin on the very core their partner needs: training beside a compiler was seen
// to run at a tenth of its speed. Threads that sleep at once, on the other hand, pay for it between
// the small products of each generated token, which then took twice as long. So they spin for some
// microseconds and sleep then. The run-time library reads this once, when it is loaded: the program
// begins again with the environment it wants. Whoever sets one of the two keeps it.
void let_waiting_threads_sleep_soon(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) {
    return;
  }
  setenv("OMP_WAIT_POLICY", "passive", 1);
  setenv("GOMP_SPINCOUNT", "2000", 1);
  execv(lathe::executable_path().c_str(), argv);  // where that fails, it goes on as it is
}

}  // namespace

int main(int argc, char** argv) {
  lathe::app::keep_signals_off_this_thread();  // first, for libraries start threads before main()
  let_waiting_threads_sleep_soon(argv);
  lathe::app::start_signal_thread();
  return lathe::app::run_command_line(argc, argv);
}
