// What people get wrong: each gives its exit code and one error that names the thing and the
// remedy.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/e2e/lathe_process.h"

namespace lathe::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class BadInputTest : public LatheTest {
 protected:
  // Runs and expects the exit code and all parts in the message.
  void expect_error(const std::vector<std::string>& words, int code,
                    const std::vector<std::string>& parts) {
    const Finished finished = lathe(words);
    EXPECT_EQ(finished.code, code) << finished.out << finished.err;
    for (const std::string& part : parts) {
      EXPECT_THAT(finished.err, HasSubstr(part));
    }
  }
  std::string store_file() { return (folder() / "data" / "lathe" / "store.sqlite").string(); }
};

TEST_F(BadInputTest, UnknownKeyNamesTheNearest) {
  expect_error({"run", config("a", {{"model.dimm", 3}})}, 2, {"model.dimm", "dim"});
  expect_error({"run", config("a"), "dimm=3"}, 2, {"dimm", "dim"});
}

TEST_F(BadInputTest, WrongTypeAndRange) {
  expect_error({"run", config("a", {{"model.dim", "wide"}})}, 2, {"model.dim", "wide"});
  expect_error({"run", config("a"), "model.dim=4"}, 2, {"model.dim=4", "8"});
  expect_error({"run", config("a"), "optim.lr=banana"}, 2, {"optim.lr", "banana"});
}

TEST_F(BadInputTest, HeadsThatDoNotDivide) {
  expect_error({"run", config("a"), "model.heads=5"}, 2, {"heads", "5", "32"});
}

TEST_F(BadInputTest, ConfigsThatAreNone) {
  write("broken.json", "{\"model\": ");
  expect_error({"run", (folder() / "broken.json").string()}, 2, {"broken.json"});
  expect_error({"run", "no_such_config"}, 2, {"no_such_config", "sample"});
  expect_error({"runn"}, 2, {"runn", "run"});
}

TEST_F(BadInputTest, RankAboveBreakEvenWarnsWithItsCost) {
  const Finished ran = lathe({"run", config("wide"), "rank=30"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("warning"));
  EXPECT_THAT(ran.err, HasSubstr("break"));
}

// A name, a path and a file's metadata may hold any bytes; what is told of them is JSON all the
// same.
TEST_F(BadInputTest, BytesThatAreNoText) {
  const Finished ran = lathe({"run", config("a"),
                              "name=a\xff"
                              "b",
                              "--json"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(runs()[0]["name"],
            "a\uFFFD"
            "b");
  const Finished refused = lathe({"run", config("a"), "optim.lr=\xff", "--json"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_FALSE(Json::parse(refused.out, nullptr, false).is_discarded()) << refused.out;
}

TEST_F(BadInputTest, CorpusMissingEmptyOrBinary) {
  expect_error({"run", config("a"), "data.path=/nowhere/at/all"}, 8, {"/nowhere/at/all"});
  fs::create_directories(folder() / "empty");
  expect_error({"run", config("a"), "data.path=" + (folder() / "empty").string()}, 8, {"empty"});
  fs::create_directories(folder() / "binary");
  write("binary/a.py", std::string("\0\1\2\3\xff\xfe", 6) + std::string(5000, '\0'));
  expect_error({"run", config("a"), "data.path=" + (folder() / "binary").string()}, 8, {"binary"});
}

TEST_F(BadInputTest, DamagedCheckpoint) {
  const pid_t process =
      start({"run", config("a", {{"train.steps", 1000}, {"train.checkpoint_every", 20}})});
  wait_for_run("a", 30);
  kill(process, SIGINT);
  ASSERT_EQ(wait(process).code, 130);
  const std::string run = newest_run();
  const Json before = json({"show", run});
  const std::string path = before["checkpoints"].back()["path"];
  fs::resize_file(fs::path(path) / "weights.safetensors", 100);
  expect_error({"inspect", path}, 8, {"weights.safetensors"});
  expect_error({"resume", run}, 8, {"weights.safetensors"});
  EXPECT_EQ(json({"show", run})["last"], before["last"]);
  expect_error({"resume", run, "--from", "7"}, 2, {"checkpoint of step 7", "--from 0"});
  const std::string former = before["checkpoints"].front()["step"].dump();
  EXPECT_EQ(lathe({"resume", run, "--from", former}).code, 0);
  EXPECT_EQ(json({"show", run})["state"], "done");
}

TEST_F(BadInputTest, StoreThatIsNoneOrNewer) {
  fs::create_directories(fs::path(store_file()).parent_path());
  std::ofstream(store_file()) << std::string(5000, 'x');
  expect_error({"run", config("a")}, 6, {"store.sqlite"});
  expect_error({"ls", "runs"}, 6, {"store.sqlite"});
}

TEST_F(BadInputTest, ReadOnlyDisk) {
  if (geteuid() == 0) {
    expect_error({"run", config("a"), "--store", "/proc/lathe/store.sqlite"}, 7, {"/proc/lathe"});
    return;
  }
  fs::create_directories(folder() / "data");
  chmod((folder() / "data").c_str(), 0500);
  expect_error({"run", config("a")}, 7, {"data"});
}

// A store folder of its own small file system, in a mount namespace that ends with the shell.
TEST_F(BadInputTest, FullDiskKeepsWhatIsRecorded) {
  const std::string script =
      "mkdir -p data && mount -t tmpfs -o size=700k none data || exit 77;"
      "\"$0\" run \"$1\" model.dim=64 train.checkpoint_every=6; code=$?;"
      "\"$0\" ls runs --json; exit $code";
  const Finished ended =
      wait(start_program({"/usr/bin/unshare", "--map-root-user", "--mount", "/bin/sh", "-c",
                          "cd " + folder().string() + ";" + script, binary(), config("a")}));
  if (ended.code != 7 && ended.out.empty()) {
    GTEST_SKIP() << "no mount namespace here: " << ended.err;
  }
  EXPECT_EQ(ended.code, 7) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("No space left on device"));
  EXPECT_THAT(ended.err, HasSubstr("free some space"));
  const Json run = Json::parse(ended.out, nullptr, false);
  ASSERT_TRUE(run.is_object()) << ended.out;
  EXPECT_EQ(run["state"], "failed");
  EXPECT_EQ(run["step"], 6);
}

TEST_F(BadInputTest, TooLittleMemoryIsRefusedBeforeTheStart) {
  expect_error({"run", config("a"), "model.dim=16384", "model.layers=200", "model.heads=128"}, 4,
               {"needs", "left", "lathe plan"});
  EXPECT_EQ(runs()[0]["state"], "failed");
}

TEST_F(BadInputTest, DeviceThatIsNotThere) {
  expect_error({"run", config("a"), "device=cuda:0"}, 10, {"cuda:0"});
  expect_error({"sweep", config("a"), "rank=0,4", "device=cuda:0"}, 10, {"cuda:0"});
}

TEST_F(BadInputTest, NoDisplay) {
  expect_error({}, 10, {"lathe sweep sample"});
}

TEST_F(BadInputTest, IdsThatAreNone) {
  ASSERT_EQ(lathe({"run", config("a")}).code, 0);
  for (const char* verb : {"show", "resume", "retry", "replay"}) {
    expect_error({verb, "nothing_here"}, 2, {"nothing_here"});
  }
  const std::string replayed = newest_run();
  ASSERT_EQ(lathe({"replay", replayed, "--verify"}).code, 0);
}

TEST_F(BadInputTest, NothingRecordedIsLost) {
  ASSERT_EQ(lathe({"run", config("kept")}).code, 0);
  const std::string run = newest_run();
  const Json before = json({"show", run});
  lathe({"run", config("a"), "data.path=/nowhere"});
  lathe({"run", config("a"), "model.heads=5"});
  EXPECT_EQ(json({"show", run}), before);
}

}  // namespace
}  // namespace lathe::e2e
