// See children.h.
#include "app/children.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "engine/base/paths.h"

namespace lathe::app {
namespace {

constexpr int kNotStarted = 127;  // as a shell says it

// A process group of its own, so that a terminal's Ctrl-C reaches it through us alone, once.
int spawn(std::vector<std::string> words, pid_t* child) {
  std::vector<char*> arguments;
  for (std::string& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  const std::unique_ptr<posix_spawnattr_t, int (*)(posix_spawnattr_t*)> free_attributes(
      &attributes, posix_spawnattr_destroy);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  const std::unique_ptr<posix_spawn_file_actions_t, int (*)(posix_spawn_file_actions_t*)>
      free_files(&files, posix_spawn_file_actions_destroy);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  return posix_spawn(child, words.front().c_str(), &files, &attributes, arguments.data(), environ);
}

}  // namespace

int Children::run(const experiments::RunRequest& request) {
  pid_t child = 0;
  {
    const std::lock_guard lock(mutex_);
    if (interrupted_) {
      return 128 + SIGINT;
    }
    std::vector<std::string> words{executable_path().string()};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    words.insert(words.end(), {"--quiet", "resume", request.run});
    if (const int failed = spawn(std::move(words), &child); failed != 0) {
      return kNotStarted;
    }
    running_.insert(child);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const std::lock_guard lock(mutex_);
  running_.erase(child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void Children::interrupt() {
  const std::lock_guard lock(mutex_);
  if (!interrupted_) {
    interrupted_ = true;
    for (const pid_t child : running_) {
      kill(child, SIGINT);
    }
  }
}

}  // namespace lathe::app
