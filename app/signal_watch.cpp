// See signal_watch.h. The handler does the two things that a handler may do here: it writes a byte
// into a pipe, or leaves. A handler, where waiting for the blocked signals would do, because
// libraries may have started threads that do not block them.
#include "app/signal_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>

#include "engine/base/check.h"

namespace lathe::app {
namespace {

// A handler has no other way to know anything.
std::atomic<int> first_signal{0};
std::atomic<int> write_end{-1};
static_assert(std::atomic<int>::is_always_lock_free);

void handle(int signal) {
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, signal)) {
    _exit(128 + signal);  // asked twice: nothing is saved any more
  }
  const int saved_errno = errno;
  const char byte = static_cast<char>(signal);
  [[maybe_unused]] const ssize_t written = write(write_end, &byte, 1);
  errno = saved_errno;
}

void set_signals(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(how, &signals, nullptr);
}

}  // namespace

void keep_signals_off_this_thread() {
  set_signals(SIG_BLOCK);
}

void start_signal_thread() {
  std::thread([] {
    set_signals(SIG_UNBLOCK);
    for (;;) {
      pause();
    }
  }).detach();
}

SignalWatch::SignalWatch(std::function<void(int)> on_first) : on_first_(std::move(on_first)) {
  int ends[2] = {-1, -1};
  CHECK(pipe2(ends, O_CLOEXEC) == 0, "a process has room for a pipe");
  read_end_ = ends[0];
  first_signal = 0;
  write_end = ends[1];
  thread_ = std::thread([this] { watch(); });
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &former_interrupt_);
  sigaction(SIGTERM, &action, &former_terminate_);
}

SignalWatch::~SignalWatch() {
  sigaction(SIGINT, &former_interrupt_, nullptr);
  sigaction(SIGTERM, &former_terminate_, nullptr);
  close(write_end.exchange(-1));  // ends the thread's read
  thread_.join();
  close(read_end_);
}

int SignalWatch::received() const {
  return first_signal;
}

void SignalWatch::watch() {
  char byte = 0;
  if (read(read_end_, &byte, 1) == 1) {
    on_first_(byte);
  }
}

}  // namespace lathe::app
