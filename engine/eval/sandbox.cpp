// The free side: prepares, forks, reads what comes, ends what takes too long.
#include "engine/eval/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "engine/eval/sandbox_child.h"

namespace lathe {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kKeptOutput = 64 << 10;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { reset(); }
  int get() const { return number_; }
  void reset() {
    if (number_ >= 0) {
      close(number_);
    }
    number_ = -1;
  }

 private:
  int number_ = -1;
};

struct Pipe {
  Descriptor read, write;
};

Error system_error(const std::string& what) {
  return {ErrorKind::kFailed, "cannot " + what + ": " + std::strerror(errno),
          "close other programs and try again"};
}

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return system_error("open a pipe");
  }
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// The input as a file in memory, at its beginning.
Result<Descriptor> input_file(std::string_view input) {
  Descriptor file(memfd_create("input", MFD_CLOEXEC));
  if (file.get() < 0) {
    return system_error("make a file in memory");
  }
  for (std::size_t at = 0; at < input.size();) {
    const ssize_t written = write(file.get(), input.data() + at, input.size() - at);
    if (written <= 0) {
      return system_error("write a file in memory");
    }
    at += static_cast<std::size_t>(written);
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const std::string& word : words) {
    out.push_back(const_cast<char*>(word.c_str()));
  }
  out.push_back(nullptr);
  return out;
}

int milliseconds_until(Clock::time_point end) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count() + 1, 0, 1 << 30));
}

// Reads until all writers are gone or the time is over; keeps the last part. False: time is over.
bool drain(int output, Clock::time_point end, std::string& kept) {
  std::array<char, 16384> chunk;
  for (;;) {
    pollfd waiting{output, POLLIN, 0};
    const int ready = poll(&waiting, 1, milliseconds_until(end));
    if (ready == 0 || Clock::now() >= end) {
      return false;
    }
    const ssize_t count = ready > 0 ? read(output, chunk.data(), chunk.size()) : -1;
    if (count == 0 || (count < 0 && errno != EINTR)) {
      return true;
    }
    if (count > 0) {
      kept.append(chunk.data(), static_cast<std::size_t>(count));
      kept.erase(0, kept.size() - std::min(kept.size(), kKeptOutput));
    }
  }
}

// Waits for the process; one that is still there at `end` is killed, and all of its own with it.
SandboxRun finish(pid_t child, int output, Clock::time_point end) {
  SandboxRun run;
  const Descriptor handle(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  if (drain(output, end, run.output)) {
    // It may have closed its output and go on.
    pollfd waiting{handle.get(), POLLIN, 0};
    while (poll(&waiting, 1, milliseconds_until(end)) < 0 && errno == EINTR) {
    }
    run.timed_out = waiting.revents == 0;
  } else {
    run.timed_out = true;
  }
  if (run.timed_out) {
    kill(child, SIGKILL);
    drain(output, Clock::now() + std::chrono::seconds(2), run.output);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return run;
}

Error refused(const sandbox::Refusal& refusal) {
  const auto step = static_cast<std::size_t>(refusal.step);
  const std::string name(step < sandbox::kStepNames.size() ? sandbox::kStepNames[step] : "start");
  return {ErrorKind::kDevice,
          "code is not executed, since it cannot be confined: the kernel refused to " + name +
              " (" + std::strerror(refusal.error) + ")",
          "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, "
          "user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns), or score the "
          "completions on a machine that does"};
}

}  // namespace

Result<SandboxRun> run_sandboxed(const std::vector<std::string>& argv, std::string_view input,
                                 const SandboxLimits& limits) {
  auto output = make_pipe();
  auto status = make_pipe();
  auto in = input_file(input);
  if (!output || !status || !in) {
    return !output ? output.error() : !status ? status.error() : in.error();
  }
  const std::vector<std::string> environment{"PATH=/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp",
                                             "LANG=C.UTF-8", "PYTHONHASHSEED=0"};
  const bool is_root = geteuid() == 0;
  const std::string uid_map = "65534 " + std::to_string(is_root ? 65534 : geteuid()) + " 1";
  const std::string gid_map = "65534 " + std::to_string(is_root ? 65534 : getegid()) + " 1";
  const std::string temp_options =
      "mode=700,nr_inodes=1024,size=" + std::to_string(limits.disk_bytes);
  const std::vector<char*> arguments = pointers(argv);
  const std::vector<char*> variables = pointers(environment);
  const sandbox::Prepared prepared{.program = argv.front().c_str(),
                                   .argv = arguments.data(),
                                   .environment = variables.data(),
                                   .uid_map = uid_map.c_str(),
                                   .gid_map = gid_map.c_str(),
                                   .temp_options = temp_options.c_str(),
                                   .is_root = is_root,
                                   .parent = getpid(),
                                   .input = in->get(),
                                   .output = output->write.get(),
                                   .status = status->write.get(),
                                   .limits = limits};
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(limits.wall_secs));
  const pid_t child = _Fork();
  if (child < 0) {
    return system_error("start a process");
  }
  if (child == 0) {
    sandbox::become_sandbox(prepared);
  }
  output->write.reset();
  status->write.reset();
  SandboxRun run = finish(child, output->read.get(), end);
  sandbox::Refusal refusal;
  if (read(status->read.get(), &refusal, sizeof refusal) == sizeof refusal) {
    return refused(refusal);
  }
  return run;
}

Result<void> check_sandbox() {
  const auto run = run_sandboxed({"/usr/bin/true"}, "", {});
  return run ? Result<void>() : Result<void>(run.error());
}

}  // namespace lathe
