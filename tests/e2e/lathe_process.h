// The real program in a world of its own: empty XDG folders, a small generated corpus, a config.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/base/json.h"

namespace lathe::e2e {

struct Finished {
  int code = 0;  // exit code; 128 + signal if it was ended by one
  std::string out;
  std::string err;
};

class LatheTest : public ::testing::Test {
 protected:
  LatheTest();
  ~LatheTest() override;

  // Runs `lathe <words>` to its end.
  Finished lathe(const std::vector<std::string>& words);
  // The same in the background, its output in files; wait() collects it.
  pid_t start(const std::vector<std::string>& words);
  // The program itself, and any other in the same world.
  static std::string binary();
  pid_t start_program(std::vector<std::string> arguments);
  Finished wait(pid_t process);
  // Blocks until the store says that a run of this name has reached the step.
  void wait_for_run(const std::string& name, std::int64_t step);

  // The one object that a verb prints with --json.
  Json json(const std::vector<std::string>& words);
  // The objects, one per line, of a verb that lists.
  Json json_lines(const std::vector<std::string>& words);
  // Runs newest first.
  Json runs() { return json_lines({"ls", "runs"}); }
  std::string newest_run();
  // The parameter digest after the run's last step.
  std::string final_digest(const std::string& run);

  // A config in the world: small model, byte tokens, the generated corpus; `changes` are overrides
  // by dotted path.
  std::string config(const std::string& name, const Json& changes = Json::object());
  void write(const std::string& name, const std::string& text);

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  int started_ = 0;
  std::map<pid_t, std::string> output_;  // file name stem
};

}  // namespace lathe::e2e
