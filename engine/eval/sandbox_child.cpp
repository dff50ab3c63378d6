// System calls only, each checked; see namespaces(7), user_namespaces(7), pivot_root(2).
#include "engine/eval/sandbox_child.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

namespace lathe::sandbox {
namespace {

constexpr unsigned kNobody = 65534;
// Where the private root is put together: any folder that exists. Only this process sees it.
constexpr const char* kStage = "/tmp";

[[noreturn]] void give_up(const Prepared& prepared, Step step) {
  const Refusal refusal{.step = step, .error = errno};
  const ssize_t written = write(prepared.status, &refusal, sizeof refusal);
  _exit(written == sizeof refusal ? 127 : 126);
}

void require(bool done, const Prepared& prepared, Step step) {
  if (!done) {
    give_up(prepared, step);
  }
}

bool write_file(const char* path, const char* text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  const auto size = static_cast<ssize_t>(std::strlen(text));
  const bool done = file >= 0 && write(file, text, static_cast<std::size_t>(size)) == size;
  if (file >= 0) {
    close(file);
  }
  return done;
}

bool set_read_only(const char* path, unsigned flags) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
  return mount_setattr(AT_FDCWD, path, flags, &attributes, sizeof attributes) == 0;
}

// A folder of the real root, seen read-only at the same place of the new one; a link stays a link.
bool show_folder(const char* from, const char* to) {
  std::array<char, 256> target{};
  const ssize_t length = readlink(from, target.data(), target.size() - 1);
  if (length > 0) {
    return symlink(target.data(), to) == 0;
  }
  if (access(from, F_OK) != 0) {
    return true;  // not every system has each of them
  }
  return mkdir(to, 0755) == 0 && mount(from, to, nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
         set_read_only(to, AT_RECURSIVE);
}

bool show_file(const char* from, const char* to) {
  if (access(from, F_OK) != 0) {
    return true;
  }
  const int file = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  if (file < 0) {
    return false;
  }
  close(file);
  return mount(from, to, nullptr, MS_BIND, nullptr) == 0;
}

bool limit(int resource, std::int64_t value) {
  const rlimit bound{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  // By system call: the library's declaration takes an enum of its own in C++.
  return syscall(SYS_prlimit64, 0, resource, &bound, nullptr) == 0;
}

void become_nobody(const Prepared& prepared) {
  // System calls, not the library's functions, which would look for other threads.
  if (prepared.is_root) {
    require(syscall(SYS_setgroups, 0, nullptr) == 0 &&
                syscall(SYS_setresgid, kNobody, kNobody, kNobody) == 0 &&
                syscall(SYS_setresuid, kNobody, kNobody, kNobody) == 0,
            prepared, Step::kBecomeNobody);
  }
  require(prctl(PR_SET_DUMPABLE, 1) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
              getppid() == prepared.parent,
          prepared, Step::kBecomeNobody);
}

void build_root(const Prepared& prepared) {
  require(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, prepared,
          Step::kPrivateMounts);
  require(mount("tmpfs", kStage, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=755") == 0, prepared,
          Step::kPrivateRoot);
  require(show_folder("/usr", "/tmp/usr") && show_folder("/bin", "/tmp/bin") &&
              show_folder("/lib", "/tmp/lib") && show_folder("/lib64", "/tmp/lib64") &&
              mkdir("/tmp/etc", 0755) == 0 && show_file("/etc/ld.so.cache", "/tmp/etc/ld.so.cache"),
          prepared, Step::kSystemFolders);
  require(mkdir("/tmp/dev", 0755) == 0 && show_file("/dev/null", "/tmp/dev/null") &&
              show_file("/dev/zero", "/tmp/dev/zero") &&
              show_file("/dev/urandom", "/tmp/dev/urandom"),
          prepared, Step::kDevices);
  require(mkdir("/tmp/tmp", 0755) == 0 &&
              mount("tmpfs", "/tmp/tmp", "tmpfs", MS_NOSUID | MS_NODEV, prepared.temp_options) == 0,
          prepared, Step::kPrivateTemp);
  require(set_read_only(kStage, 0), prepared, Step::kReadOnlyRoot);
  require(chdir(kStage) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
              umount2(".", MNT_DETACH) == 0 && chdir("/tmp") == 0,
          prepared, Step::kEnterRoot);
}

void set_limits(const Prepared& prepared) {
  const SandboxLimits& limits = prepared.limits;
  const auto cpu_secs = static_cast<std::int64_t>(std::ceil(limits.wall_secs)) + 1;
  require(limit(RLIMIT_AS, limits.memory_bytes) && limit(RLIMIT_FSIZE, limits.disk_bytes) &&
              limit(RLIMIT_NPROC, limits.processes) && limit(RLIMIT_NOFILE, 64) &&
              limit(RLIMIT_CPU, cpu_secs) && limit(RLIMIT_CORE, 0) && limit(RLIMIT_MEMLOCK, 0) &&
              limit(RLIMIT_MSGQUEUE, 0) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0,
          prepared, Step::kLimits);
}

[[noreturn]] void run_program(const Prepared& prepared) {
  require(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, prepared, Step::kSecondProcess);
  build_root(prepared);
  require(dup2(prepared.input, 0) == 0 && dup2(prepared.output, 1) == 1 &&
              dup2(prepared.output, 2) == 2 && close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) == 0,
          prepared, Step::kDescriptors);
  set_limits(prepared);
  // Leaving for a program as a user other than root drops what the namespace had granted.
  execve(prepared.program, prepared.argv, prepared.environment);
  give_up(prepared, Step::kProgram);
}

}  // namespace

void become_sandbox(const Prepared& prepared) {
  setsid();
  for (int number = 1; number < NSIG; ++number) {
    signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  become_nobody(prepared);
  require(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                  CLONE_NEWPID) == 0,
          prepared, Step::kNamespaces);
  require(write_file("/proc/self/setgroups", "deny") &&
              write_file("/proc/self/uid_map", prepared.uid_map) &&
              write_file("/proc/self/gid_map", prepared.gid_map),
          prepared, Step::kIdentity);
  // The next process is the first of the new process namespace: when it ends, all others there do.
  const pid_t inner = _Fork();
  require(inner >= 0, prepared, Step::kSecondProcess);
  if (inner == 0) {
    run_program(prepared);
  }
  // All of them: pipes of other sandboxes that were open when this process began, too.
  close_range(3, ~0u, 0);
  int status = 0;
  while (waitpid(inner, &status, 0) < 0 && errno == EINTR) {
  }
  _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

}  // namespace lathe::sandbox
