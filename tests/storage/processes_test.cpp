// Several processes at one store: writing at once, killed in the middle, dead or alive.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>

#include "storage/open_database.h"
#include "tests/storage/store_fixture.h"

namespace lathe::storage {
namespace {

using namespace experiments;

// A child running the store_writer program; its standard output can be read.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    int ends[2] = {};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      arguments.insert(arguments.begin(), STORE_WRITER);
      std::vector<char*> raw;
      for (std::string& argument : arguments) {
        raw.push_back(argument.data());
      }
      raw.push_back(nullptr);
      execv(STORE_WRITER, raw.data());
      _exit(127);
    }
    close(ends[1]);
    output_ = fdopen(ends[0], "r");
  }
  ~Child() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    std::fclose(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The exit code, or 128 + the signal.
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void kill_now() { kill(pid_, SIGKILL); }
  bool read_step(long long& step, long long& time_ms) {
    return std::fscanf(output_, "%lld %lld", &step, &time_ms) == 2;
  }

 private:
  pid_t pid_ = -1;
  FILE* output_ = nullptr;
};

using ProcessesTest = StoreTest;

TEST_F(ProcessesTest, FourWritersOfANewFileLoseNothing) {
  {
    Child first({"write", file_, "run1", "1500"});
    Child second({"write", file_, "run2", "1500"});
    Child third({"write", file_, "run3", "1500"});
    auto own = store();
    own->on_event(created("run4"));
    for (std::int64_t step = 1; step <= 1500; ++step) {
      own->on_event(point("run4", "train/loss", step, 1.0));
    }
    EXPECT_EQ(first.wait(), 0);
    EXPECT_EQ(second.wait(), 0);
    EXPECT_EQ(third.wait(), 0);
    expect_ok(own->flush());
  }
  auto reading = catalog();
  for (const char* run : {"run1", "run2", "run3", "run4"}) {
    EXPECT_EQ(value_of(reading->points(run, "train/loss")).size(), 1500u) << run;
  }
  EXPECT_EQ(value_of(reading->points("run2", "perf/step_ms")).size(), 1500u);
  EXPECT_EQ(value_of(reading->runs()).size(), 4u);
  expect_ok(check_store(file_));
}

std::int64_t monotonic_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

TEST_F(ProcessesTest, AKilledRunKeepsAllButTheLastSecondAndReadsAsInterrupted) {
  long long last_safe_step = 0;
  {
    Child child({"endless", file_, "run1"});
    std::vector<std::pair<long long, long long>> handed_over;
    long long step = 0;
    long long time_ms = 0;
    while (child.read_step(step, time_ms)) {
      handed_over.emplace_back(step, time_ms);
      if (time_ms - handed_over.front().second > 1'800) {
        break;
      }
    }
    EXPECT_TRUE(catalog()->run("run1").ok());
    EXPECT_EQ(value_of(catalog()->run("run1")).summary.state, RunState::kRunning);
    const std::int64_t killed_ms = monotonic_ms();
    child.kill_now();
    EXPECT_EQ(child.wait(), 128 + SIGKILL);
    for (const auto& [given_step, given_ms] : handed_over) {
      if (given_ms <= killed_ms - 1'000) {
        last_safe_step = given_step;
      }
    }
  }
  ASSERT_GT(last_safe_step, 0);
  expect_ok(check_store(file_));
  auto reading = catalog();
  EXPECT_EQ(value_of(reading->run("run1")).summary.state, RunState::kInterrupted);
  const auto points = value_of(reading->points("run1", "train/loss"));
  EXPECT_GE(static_cast<long long>(points.size()), last_safe_step);
  for (std::size_t i = 0; i < points.size(); ++i) {
    ASSERT_EQ(points[i].step, static_cast<std::int64_t>(i) + 1);
  }

  auto writing = store();
  EXPECT_EQ(value_of(writing->mark_dead_runs()), std::vector<std::string>{"run1"});
  EXPECT_TRUE(value_of(writing->mark_dead_runs()).empty());
  writing->on_event(started("run1", 2, 100));
  writing->on_event(point("run1", "train/loss", 101, 101.0));
  expect_ok(writing->flush());
  EXPECT_EQ(value_of(reading->points("run1", "train/loss")).size(), 101u);
  EXPECT_EQ(value_of(reading->run("run1")).summary.state, RunState::kRunning);
}

// A store with one running run of this process, whose owner row a test may falsify.
class OwnerTest : public StoreTest {
 protected:
  OwnerTest() : store_(store()) {
    store_->on_event(SweepCreated{"sweep1", "s", Json::object(), {}});
    RunCreated run = created("run1");
    run.sweep = "sweep1";
    store_->on_event(run);
    store_->on_event(started("run1"));
    expect_ok(store_->flush());
  }
  void falsify(const std::string& assignment) {
    open_for_writing(file_, std::chrono::seconds(5))->script("UPDATE processes SET " + assignment);
  }
  bool reads_as_dead() {
    const bool dead = value_of(catalog()->run("run1")).summary.state == RunState::kInterrupted;
    EXPECT_EQ(value_of(catalog()->sweep("sweep1")).state, dead ? "interrupted" : "running");
    EXPECT_EQ(value_of(store_->mark_dead_runs()).size(), dead ? 1u : 0u);
    EXPECT_EQ(value_of(catalog()->sweep("sweep1")).state, dead ? "interrupted" : "running");
    return dead;
  }
  std::unique_ptr<RunStore> store_;
};

TEST_F(OwnerTest, ThisProcessLives) {
  EXPECT_FALSE(reads_as_dead());
}
TEST_F(OwnerTest, AProcessThatGotTheNumberLaterIsNotTheOwner) {
  falsify("start_ticks = start_ticks - 1");
  EXPECT_TRUE(reads_as_dead());
}
TEST_F(OwnerTest, AnOwnerOfAnotherBootIsDead) {
  falsify("boot_id = 'before'");
  EXPECT_TRUE(reads_as_dead());
}
TEST_F(OwnerTest, AnOwnerThatCannotBeSeenLivesWhileItsHeartBeats) {
  falsify("pid_namespace = 'pid:[1]', pid = 1");
  EXPECT_FALSE(reads_as_dead());
  falsify("heartbeat_ms = heartbeat_ms - 100000");
  EXPECT_TRUE(reads_as_dead());
}

TEST_F(ProcessesTest, AFolderWithoutWriteRightIsADiskErrorAndStaysReadable) {
  store().reset();
  std::filesystem::permissions(file_, std::filesystem::perms(0444));
  std::filesystem::permissions(folder_, std::filesystem::perms(0555));
  EXPECT_EQ(Child({"open", file_}).wait(), exit_code(ErrorKind::kDisk));
  EXPECT_EQ(Child({"open", (folder_ / "new.db").string()}).wait(), exit_code(ErrorKind::kDisk));
  EXPECT_EQ(Child({"open", (folder_ / "new" / "store.db").string()}).wait(),
            exit_code(ErrorKind::kDisk));
  EXPECT_EQ(Child({"read", file_}).wait(), 0);
  std::filesystem::permissions(folder_, std::filesystem::perms(0755));
}

}  // namespace
}  // namespace lathe::storage
