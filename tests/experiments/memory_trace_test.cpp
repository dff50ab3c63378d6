// A step's memory as a trace that other viewers open: counters that add up, tensors that live as
// long as they did.
#include "experiments/memory_trace.h"

#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "tests/support/step_profile.h"

namespace lathe::experiments {
namespace {

Json events_of(const MemoryProfile& profile) {
  const auto json = parse_json(memory_trace(profile), "trace");
  EXPECT_TRUE(json.ok());
  return json->at("traceEvents");
}

TEST(MemoryTrace, CountersBeginWithWhatWasThereAndReachThePeak) {
  const test::ProfileMaker made(3);
  std::vector<std::int64_t> sums;
  for (const Json& event : events_of(made.profile())) {
    if (event.at("ph") == "C") {
      std::int64_t sum = 0;
      for (const auto& value : event.at("args")) {
        sum += value.get<std::int64_t>();
      }
      sums.push_back(sum);
    }
  }
  ASSERT_EQ(sums.size(), made.profile().time_line.size() + 1);
  EXPECT_EQ(sums.front(), 3 * test::kProfileWeights);
  EXPECT_EQ(*std::max_element(sums.begin(), sums.end()), made.peak());
  EXPECT_EQ(sums.back(), 3 * test::kProfileWeights) << "all was given back";
}

TEST(MemoryTrace, EachTensorLivesAsLongAsItDid) {
  std::int64_t kept = 0;
  for (const Json& event : events_of(test::ProfileMaker(3).profile())) {
    if (event.at("ph") == "X" && event.at("cat") == "activations") {
      EXPECT_EQ(event.at("args").at("bytes"), test::kProfileKept);
      ++kept;
      if (event.at("name") == "layers.0.mlp.up up") {
        EXPECT_EQ(event.at("ts"), 1) << "taken first";
        EXPECT_EQ(event.at("dur"), 11) << "given back last, of twelve events";
      }
    }
  }
  EXPECT_EQ(kept, 3);
}

TEST(MemoryTrace, NothingRecordedIsAnEmptyTrace) {
  EXPECT_EQ(events_of({}).size(), 1u + kCategoryNames.size() + 1u);
}

}  // namespace
}  // namespace lathe::experiments
