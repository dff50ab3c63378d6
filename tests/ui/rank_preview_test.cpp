// The preview of ranks: the newest question is answered, and none twice.
#include "ui/model/rank_preview.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/ui/fake_models.h"

namespace lathe::ui::testing {
namespace {

namespace ex = experiments;

// What the preview says once it is at rest.
std::shared_ptr<const RankPreview::Answer> settled(const RankPreview& preview) {
  for (int i = 0; i < 1000 && preview.pending(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return preview.latest();
}

TEST(RankPreview, AnswersTheNewestQuestionAndNoneTwice) {
  const auto spectrum = some_spectrum("tiny", 2);
  std::atomic<int> answered = 0;
  std::atomic<bool> held = true;
  RankPreview preview(
      [&](const RankQuestion& asked) -> Result<ex::RankPlan> {
        while (held) {
          std::this_thread::yield();
        }
        ++answered;
        ex::RankPlan plan;
        plan.ops_after = asked.spec.value("budget", 0.0);
        return plan;
      },
      [] {});
  EXPECT_EQ(preview.latest(), nullptr);
  for (int i = 1; i <= 50; ++i) {
    preview.ask({spectrum, {{"budget", i}}});
  }
  EXPECT_TRUE(preview.pending());
  held = false;
  const auto answer = settled(preview);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->question.spec, (Json{{"budget", 50}}));
  EXPECT_EQ(answer->value.ops_after, 50);
  EXPECT_LE(answered, 2);  // the first may have been taken up before the others came
  const int before = answered;
  preview.ask({spectrum, {{"budget", 50}}});
  EXPECT_FALSE(preview.pending());
  EXPECT_EQ(answered, before);
}

TEST(RankPreview, TellsWhyThereIsNoPlan) {
  RankPreview preview(
      [](const RankQuestion&) -> Result<ex::RankPlan> {
        return Error{ErrorKind::kUsage, "too little", "give more"};
      },
      [] {});
  preview.ask({some_spectrum("tiny", 1), {{"budget", 0.01}}});
  const auto answer = settled(preview);
  ASSERT_NE(answer, nullptr);
  ASSERT_TRUE(answer->error.has_value());
  EXPECT_EQ(answer->error->message, "too little");
}

}  // namespace
}  // namespace lathe::ui::testing
