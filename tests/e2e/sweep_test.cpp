// Sweeps through the program: points, failures, retry, jobs, conditions, plans.
#include <gmock/gmock.h>
#include <signal.h>

#include "tests/e2e/lathe_process.h"

namespace lathe::e2e {
namespace {

using ::testing::HasSubstr;

class SweepTest : public LatheTest {
 protected:
  std::map<std::string, std::string> states() {
    std::map<std::string, std::string> by_name;
    for (const Json& run : runs()) {
      by_name[run["name"]] = run["state"];
    }
    return by_name;
  }
  std::string newest_sweep() { return json_lines({"ls", "sweeps"})[0]["id"]; }
};

using States = std::map<std::string, std::string>;

TEST_F(SweepTest, RunsEachPointAndEndsWithATable) {
  const Finished swept = lathe({"sweep", config("ranks"), "rank=0,4", "--seeds", "2"});
  ASSERT_EQ(swept.code, 0) << swept.err;
  EXPECT_EQ(
      states(),
      (States{{"dense-s0", "done"}, {"dense-s1", "done"}, {"r4-s0", "done"}, {"r4-s1", "done"}}));
  for (const char* label : {"dense-s0", "r4-s1"}) {
    EXPECT_THAT(swept.out, HasSubstr(label));
  }
  for (const Json& run : runs()) {
    EXPECT_EQ(run["predicted_peak_bytes"], run["peak_bytes"]) << run["name"];
    EXPECT_EQ(lathe({"replay", run["id"], "--verify"}).code, 0) << run["name"];
  }
}

TEST_F(SweepTest, AFailingPointIsRecordedAndTheSweepGoesOn) {
  // The held-out part of the corpus has too few tokens for the longer sequences.
  const Finished swept = lathe({"sweep", config("lengths"), "seq_len=16,8192,32"});
  EXPECT_EQ(swept.code, 9) << swept.err;
  EXPECT_EQ(states(),
            (States{{"seq_len16", "done"}, {"seq_len8192", "failed"}, {"seq_len32", "done"}}));
  EXPECT_THAT(swept.err, HasSubstr("lathe retry"));
  for (const Json& run : runs()) {
    if (run["name"] == "seq_len8192") {
      EXPECT_THAT(run["error"].get<std::string>(), HasSubstr("tokens"));
    }
  }
  const std::string sweep = newest_sweep();
  EXPECT_EQ(lathe({"retry", sweep}).code, 9);  // it fails again, and only it was run
  EXPECT_EQ(runs().size(), 3u);
  EXPECT_EQ(lathe({"resume", sweep}).code, 0);  // nothing is left: a failed point is no open one
}

TEST_F(SweepTest, RetryOfASweepWithoutFailuresDoesNothing) {
  ASSERT_EQ(lathe({"sweep", config("fine"), "rank=0,4"}).code, 0);
  const Finished retried = lathe({"retry", newest_sweep()});
  EXPECT_EQ(retried.code, 0);
  EXPECT_EQ(runs().size(), 2u);
}

TEST_F(SweepTest, JobsRunInChildProcesses) {
  const Finished swept = lathe({"sweep", config("jobs"), "rank=0,4,8", "--jobs", "2"});
  ASSERT_EQ(swept.code, 0) << swept.err << swept.out;
  EXPECT_EQ(states(), (States{{"dense", "done"}, {"r4", "done"}, {"r8", "done"}}));
}

TEST_F(SweepTest, AnInterruptedSweepResumesWithWhatIsLeft) {
  const std::string file = config("long", {{"train.steps", 300}, {"train.eval_every", 100}});
  const pid_t process = start({"sweep", file, "rank=0,4"});
  wait_for_run("dense", 20);
  kill(process, SIGINT);
  const Finished stopped = wait(process);
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  const std::string sweep = newest_sweep();
  EXPECT_THAT(stopped.err, HasSubstr("lathe resume " + sweep));
  ASSERT_EQ(lathe({"resume", sweep}).code, 0);
  EXPECT_EQ(states(), (States{{"dense", "done"}, {"r4", "done"}}));
}

TEST_F(SweepTest, CtrlCReachesChildProcessesOnce) {
  const std::string file = config("long", {{"train.steps", 1500}, {"train.eval_every", 500}});
  const pid_t process = start({"sweep", file, "rank=0,4,8", "--jobs", "2"});
  wait_for_run("dense", 20);
  kill(process, SIGINT);
  const Finished stopped = wait(process);
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  for (const Json& run : runs()) {
    EXPECT_EQ(run["state"], "interrupted") << run["name"];
  }
  ASSERT_EQ(lathe({"resume", newest_sweep(), "--jobs", "2"}).code, 0);
  EXPECT_EQ(states(), (States{{"dense", "done"}, {"r4", "done"}, {"r8", "done"}}));
}

TEST_F(SweepTest, PlanListsPointsAndConditionsDropThem) {
  const Json plan =
      json({"sweep", config("plan"), "model.dim=32,64", "--where", "model.params < 20k", "--plan"});
  ASSERT_EQ(plan["points"].size(), 2u);
  EXPECT_THAT(plan["points"][1]["excluded_because"].get<std::string>(), HasSubstr("model.params"));
  const Finished none = lathe({"sweep", config("plan"), "rank=0,4", "--where", "mem.peak < 1B"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("mem.peak"));
}

}  // namespace
}  // namespace lathe::e2e
