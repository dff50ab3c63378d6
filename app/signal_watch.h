// Ctrl-C and `kill`, politely: the first asks for an end with everything saved, the second leaves
// at once.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace lathe::app {

// While it lives, SIGINT and SIGTERM go to a thread of its own instead of ending the process. Make
// it before any other thread, so that all inherit the blocked signals.
class SignalWatch {
 public:
  // `on_first` is called on the watching thread.
  explicit SignalWatch(std::function<void(int signal)> on_first);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // The first signal that came; 0: none.
  int received() const { return received_; }
  // What a process ended by that signal exits with: 130 or 143.
  int exit_code() const { return 128 + received_; }

 private:
  void watch();

  std::function<void(int)> on_first_;
  std::atomic<int> received_{0};
  std::atomic<bool> leaving_{false};
  std::thread thread_;
};

}  // namespace lathe::app
