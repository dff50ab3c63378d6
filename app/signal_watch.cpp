// See signal_watch.h.
#include "app/signal_watch.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace lathe::app {
namespace {

sigset_t watched() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

SignalWatch::SignalWatch(std::function<void(int)> on_first) : on_first_(std::move(on_first)) {
  const sigset_t signals = watched();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this] { watch(); });
}

SignalWatch::~SignalWatch() {
  leaving_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

void SignalWatch::watch() {
  const sigset_t signals = watched();
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0 || leaving_) {
      return;
    }
    if (received_ != 0) {
      _exit(128 + signal);  // asked twice: nothing is saved any more
    }
    received_ = signal;
    on_first_(signal);
  }
}

}  // namespace lathe::app
