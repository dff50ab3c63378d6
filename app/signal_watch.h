// Ctrl-C and `kill`, politely: the first asks for an end with everything saved, the second leaves
// at once.
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace lathe::app {

// While it lives, the first SIGINT or SIGTERM calls a function instead of ending the process, and
// the second ends it on the spot. A handler and not a blocked mask, because libraries start threads
// before main() that would not block. At most one at a time.
class SignalWatch {
 public:
  // `on_first` is called on a thread of its own.
  explicit SignalWatch(std::function<void(int signal)> on_first);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // The first signal that came; 0: none.
  int received() const;
  // What a process ended by that signal exits with: 130 or 143.
  int exit_code() const { return 128 + received(); }

 private:
  void watch();

  std::function<void(int)> on_first_;
  int read_end_ = -1;
  struct sigaction former_interrupt_ {};
  struct sigaction former_terminate_ {};
  std::thread thread_;
};

}  // namespace lathe::app
