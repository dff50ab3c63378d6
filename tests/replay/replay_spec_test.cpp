// The spec that repeats a record.
#include <gtest/gtest.h>

#include "experiments/replay.h"

namespace lathe::experiments {
namespace {

TEST(SpecToReplay, TakesBackendAndThreadsFromTheRecord) {
  RecordedRun run;
  run.environment = {Json{{"backend", "cpu"}, {"threads", 2}}};
  run.spec = Json{{"device", "auto"}, {"threads", 0}, {"seed", 3}};
  const Result<RunSpec> spec = spec_to_replay(run);
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->device, "cpu");
  EXPECT_EQ(spec->threads, 2);
  EXPECT_EQ(spec->train.seed, 3);
}

TEST(SpecToReplay, NamesWhatThisBuildCannotRead) {
  RecordedRun run;
  run.spec = Json{{"modell", 1}};
  const Result<RunSpec> spec = spec_to_replay(run);
  ASSERT_FALSE(spec.ok());
  EXPECT_NE(spec.error().message.find("modell"), std::string::npos) << spec.error().message;
}

}  // namespace
}  // namespace lathe::experiments
