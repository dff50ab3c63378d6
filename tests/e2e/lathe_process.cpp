// See lathe_process.h.
#include "tests/e2e/lathe_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "experiments/run_spec.h"

namespace lathe::e2e {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Text with something to learn, the same every time.
std::string made_up_text(int file) {
  std::string text = "# module " + std::to_string(file) + "\n";
  for (int line = 0; line < 60; ++line) {
    text += "def f" + std::to_string(line) + "(x, y):\n    return x * " +
            std::to_string((line * 7 + file) % 13) + " + y\n\n";
  }
  return text;
}

}  // namespace

LatheTest::LatheTest() {
  const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
  folder_ = fs::temp_directory_path() /
            ("lathe_e2e_" + std::string(test->name()) + "_" + std::to_string(getpid()));
  fs::remove_all(folder_);
  fs::create_directories(folder_ / "corpus");
  for (int file = 0; file < 24; ++file) {
    write("corpus/module_" + std::to_string(file) + ".py", made_up_text(file));
  }
}

LatheTest::~LatheTest() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void LatheTest::write(const std::string& name, const std::string& text) {
  std::ofstream(folder_ / name, std::ios::binary) << text;
}

std::string LatheTest::config(const std::string& name, const Json& changes) {
  Json document = {{"name", name},
                   {"model", {{"dim", 32}, {"layers", 2}, {"heads", 2}}},
                   {"data", {{"path", (folder_ / "corpus").string()}, {"tokenizer", "byte"}}},
                   {"train",
                    {{"steps", 12},
                     {"batch_size", 2},
                     {"seq_len", 32},
                     {"eval_every", 4},
                     {"eval_batches", 2},
                     {"checkpoint_every", 5}}},
                   {"optim", {{"warmup_steps", 2}}}};
  for (const auto& [path, value] : changes.items()) {
    experiments::set_path(document, path, value);
  }
  write(name + ".json", document.dump(2));
  return (folder_ / (name + ".json")).string();
}

std::string LatheTest::binary() {
  return LATHE_BINARY;
}

pid_t LatheTest::start(const std::vector<std::string>& words) {
  std::vector<std::string> arguments{binary()};
  arguments.insert(arguments.end(), words.begin(), words.end());
  return start_program(std::move(arguments));
}

pid_t LatheTest::start_program(std::vector<std::string> arguments) {
  const std::string stem = (folder_ / ("process_" + std::to_string(started_++))).string();
  std::vector<std::string> environment{"PATH=/usr/bin:/bin",
                                       "HOME=" + folder_.string(),
                                       "XDG_CONFIG_HOME=" + (folder_ / "config").string(),
                                       "XDG_DATA_HOME=" + (folder_ / "data").string(),
                                       "XDG_STATE_HOME=" + (folder_ / "state").string(),
                                       "XDG_CACHE_HOME=" + (folder_ / "cache").string(),
                                       "LATHE_THREADS=1"};
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) {
      out.push_back(text.data());
    }
    out.push_back(nullptr);
    return out;
  };
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  constexpr int kNew = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, (stem + ".out").c_str(), kNew, 0644);
  posix_spawn_file_actions_addopen(&files, 2, (stem + ".err").c_str(), kNew, 0644);
  pid_t process = 0;
  const int failed = posix_spawn(&process, arguments.front().c_str(), &files, nullptr,
                                 pointers(arguments).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  EXPECT_EQ(failed, 0);
  output_[process] = stem;
  return process;
}

Finished LatheTest::wait(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string stem = output_[process];
  Finished finished;
  finished.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  finished.out = read_text(stem + ".out");
  finished.err = read_text(stem + ".err");
  return finished;
}

Finished LatheTest::lathe(const std::vector<std::string>& words) {
  return wait(start(words));
}

Json LatheTest::json(const std::vector<std::string>& words) {
  std::vector<std::string> all = words;
  all.emplace_back("--json");
  const Finished finished = lathe(all);
  Json object = Json::parse(finished.out, nullptr, false);
  EXPECT_FALSE(object.is_discarded()) << finished.out << finished.err;
  return object;
}

Json LatheTest::json_lines(const std::vector<std::string>& words) {
  std::vector<std::string> all = words;
  all.emplace_back("--json");
  std::istringstream lines(lathe(all).out);
  Json list = Json::array();
  for (std::string line; std::getline(lines, line);) {
    list.push_back(Json::parse(line, nullptr, false));
    EXPECT_FALSE(list.back().is_discarded()) << line;
  }
  return list;
}

std::string LatheTest::newest_run() {
  const Json list = runs();
  return list.empty() ? "" : list[0]["id"].get<std::string>();
}

std::string LatheTest::final_digest(const std::string& run) {
  const Json digests = json({"show", run})["digests"];
  return digests.empty() ? "" : digests.back()["digest"].get<std::string>();
}

void LatheTest::wait_for_run(const std::string& name, std::int64_t step) {
  for (int attempt = 0; attempt < 600; ++attempt) {
    for (const Json& run : runs()) {
      if (run.value("name", "") == name && run["step"] >= step) {
        return;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  ADD_FAILURE() << "no run " << name << " came to step " << step;
}

}  // namespace lathe::e2e
