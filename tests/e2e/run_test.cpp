// One run through the program: trained, shown, planned, replayed, interrupted, killed, resumed.
#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>

#include "tests/e2e/lathe_process.h"

namespace lathe::e2e {
namespace {

using ::testing::HasSubstr;

class RunTest : public LatheTest {
 protected:
  // All deterministic metrics of a run, a line per point.
  std::string course(const std::string& run) {
    const Finished asked =
        lathe({"query",
               "SELECT metric, step, value FROM samples WHERE run = '" + run +
                   "' AND metric NOT LIKE 'perf/%' AND metric NOT IN "
                   "('mem/pool_bytes', 'mem/process_bytes') ORDER BY metric, step",
               "--json"});
    EXPECT_EQ(asked.code, 0) << asked.err;
    EXPECT_GT(asked.out.size(), 1000u);
    return asked.out;
  }
};

// Whether a thread, by its folder in /proc, blocks a signal.
bool blocks(const std::filesystem::path& task, int signal) {
  std::ifstream status(task / "status");
  for (std::string word; status >> word;) {
    if (word == "SigBlk:") {
      std::uint64_t mask = 0;
      status >> std::hex >> mask;
      return (mask >> (signal - 1) & 1) != 0;
    }
  }
  ADD_FAILURE() << "no mask in " << task;
  return false;
}

TEST_F(RunTest, RunThenShowThenReplayIsExact) {
  const Finished ran = lathe({"run", config("first")});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("first"));
  const std::string run = newest_run();
  const Json shown = json({"show", run});
  EXPECT_EQ(shown["state"], "done");
  EXPECT_EQ(shown["step"], 12);
  EXPECT_TRUE(shown["last"].contains("eval/loss"));
  const Finished replayed = lathe({"replay", run, "--verify"});
  EXPECT_EQ(replayed.code, 0) << replayed.out << replayed.err;
  EXPECT_THAT(replayed.out, HasSubstr("exact"));
  const Finished told = lathe({"replay", run, "--to", "8"});
  EXPECT_EQ(told.code, 0);
  EXPECT_THAT(told.out, HasSubstr("train/loss"));
}

TEST_F(RunTest, ThePlannedPeakIsTheRecordedOne) {
  for (const char* rank : {"0", "4"}) {
    const std::string file =
        config(std::string("peak") + rank, {{"method.low_rank.rank", std::stoi(rank)}});
    ASSERT_EQ(lathe({"run", file}).code, 0);
    const Json plan = json({"plan", file});
    const Json run = runs()[0];
    EXPECT_EQ(plan["peak_bytes"], run["peak_bytes"]) << "rank " << rank;
    EXPECT_EQ(plan["peak_bytes"], run["predicted_peak_bytes"]);
    EXPECT_EQ(plan["parameters"], run["last"]["model/params"]);
    EXPECT_EQ(plan["stored_bytes"], run["last"]["model/stored_bytes"]);
  }
}

TEST_F(RunTest, CtrlCSavesAndResumeGivesTheUninterruptedBits) {
  const std::string file = config(
      "long", {{"train.steps", 1000}, {"train.eval_every", 100}, {"train.checkpoint_every", 0}});
  ASSERT_EQ(lathe({"run", file, "name=whole"}).code, 0);
  const std::string whole = newest_run();

  const pid_t process = start({"run", file, "name=broken"});
  wait_for_run("broken", 20);
  kill(process, SIGINT);
  const Finished stopped = wait(process);
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  const std::string broken = newest_run();
  EXPECT_THAT(stopped.err, HasSubstr("lathe resume " + broken));
  const Json shown = json({"show", broken});
  EXPECT_EQ(shown["state"], "interrupted");
  EXPECT_LT(shown["step"], 1000);

  const Finished resumed = lathe({"resume", broken});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(final_digest(broken), final_digest(whole));
  EXPECT_TRUE(course(broken) == course(whole));
  EXPECT_EQ(lathe({"replay", broken, "--verify"}).code, 0);
  EXPECT_EQ(lathe({"resume", broken}).code, 0);  // once more changes nothing
  EXPECT_EQ(json({"show", broken})["attempts"].size(), 2u);
}

// oneDNN's products do not bear a handler's frame on their stack: one Ctrl-C in twenty broke the
// heap.
TEST_F(RunTest, NoThreadThatComputesHandlesSignals) {
  const pid_t process = start({"run", config("long", {{"train.steps", 4000}})});
  wait_for_run("long", 5);
  std::size_t takers = 0;
  bool first_takes = false;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    const bool takes = !blocks(task.path(), SIGINT) || !blocks(task.path(), SIGTERM);
    takers += takes ? 1 : 0;
    first_takes = first_takes || (takes && task.path().filename() == std::to_string(process));
  }
  kill(process, SIGTERM);
  EXPECT_EQ(wait(process).code, 143);
  EXPECT_EQ(takers, 1u);
  EXPECT_FALSE(first_takes);
}

TEST_F(RunTest, SigtermExitsWith143) {
  const pid_t process = start({"run", config("long", {{"train.steps", 4000}})});
  wait_for_run("long", 5);
  kill(process, SIGTERM);
  EXPECT_EQ(wait(process).code, 143);
}

TEST_F(RunTest, AKilledRunIsShownInterruptedAndResumesToTheSameBits) {
  const std::string file = config(
      "killed", {{"train.steps", 1000}, {"train.eval_every", 100}, {"train.checkpoint_every", 50}});
  ASSERT_EQ(lathe({"run", file, "name=whole"}).code, 0);
  const std::string whole = newest_run();

  const pid_t process = start({"run", file});
  wait_for_run("killed", 120);
  kill(process, SIGKILL);
  EXPECT_EQ(wait(process).code, 137);
  const std::string killed = newest_run();
  EXPECT_EQ(json({"show", killed})["state"], "interrupted");
  EXPECT_GE(json({"show", killed})["step"], 120);
  ASSERT_EQ(lathe({"resume", killed}).code, 0);
  EXPECT_EQ(final_digest(killed), final_digest(whole));
  EXPECT_TRUE(course(killed) == course(whole));
}

TEST_F(RunTest, ADivergedRunExitsWith3AndKeepsItsMetrics) {
  // Decay times rate is 100, so every matrix grows hundredfold a step.
  const Finished ran =
      lathe({"run", config("wild"), "train.steps=60", "optim.lr=10", "optim.weight_decay=10",
             "optim.schedule=constant", "optim.warmup_steps=0"});
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("lower lr"));
  const Json shown = json({"show", newest_run()});
  EXPECT_EQ(shown["state"], "failed");
  EXPECT_GE(shown["step"], 1);
}

TEST_F(RunTest, JsonLinesTellTheRun) {
  const Finished ran = lathe({"run", config("lines"), "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  std::istringstream lines(ran.out);
  std::map<std::string, int> kinds;
  for (std::string line; std::getline(lines, line);) {
    const Json object = Json::parse(line, nullptr, false);
    ASSERT_TRUE(object.is_object()) << line;
    ++kinds[object["event"]];
  }
  EXPECT_EQ(kinds["run_started"], 1);
  EXPECT_EQ(kinds["run_finished"], 1);
  EXPECT_EQ(kinds["result"], 1);
  EXPECT_GE(kinds["metrics"], 12);
}

TEST_F(RunTest, InspectReadsACheckpoint) {
  ASSERT_EQ(lathe({"run", config("checked")}).code, 0);
  const std::string path = json({"show", newest_run()})["checkpoints"].back()["path"];
  const Json inspected = json({"inspect", path});
  EXPECT_GT(inspected["tensors"].size(), 5u);
  EXPECT_EQ(lathe({"inspect", (folder() / "nothing").string()}).code, 8);
}

}  // namespace
}  // namespace lathe::e2e
