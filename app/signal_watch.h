// Ctrl-C and `kill`, politely: the first asks for an end with everything saved, the second leaves
// at once.
#pragma once

#include <signal.h>

#include <functional>
#include <thread>

namespace lathe::app {

// Blocks SIGINT and SIGTERM in the calling thread, and so in all that it will start and in a
// program that takes its place. No handler may run on a thread that computes: a handler's frame
// on the stack of one of oneDNN's products was seen to break the heap, on a stack of its own not.
void keep_signals_off_this_thread();
// Starts the thread that takes them instead: the process ends by them as ever, until a SignalWatch
// stands by. Once in a process, before threads that do not inherit the block.
void start_signal_thread();

// While it lives, the first SIGINT or SIGTERM calls a function instead of ending the process, and
// the second ends it on the spot. At most one at a time.
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
