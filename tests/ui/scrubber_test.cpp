// The time strip: seeking stays within the run, playing ends at its end, flags are stops.
#include "ui/model/scrubber.h"

#include <gtest/gtest.h>

namespace lathe::ui {
namespace {

Scrubber over(double last) {
  Scrubber scrubber;
  scrubber.set_extent(0, last);
  return scrubber;
}

TEST(Scrubber, FollowsTheEndUntilOneSeeks) {
  Scrubber scrubber = over(100);
  EXPECT_TRUE(scrubber.live());
  EXPECT_EQ(scrubber.step(), 100);
  scrubber.set_extent(0, 150);
  EXPECT_EQ(scrubber.step(), 150);
  scrubber.seek(40.4);
  scrubber.set_extent(0, 200);
  EXPECT_EQ(scrubber.step(), 40);
  scrubber.go_live();
  EXPECT_EQ(scrubber.step(), 200);
}

TEST(Scrubber, StaysWithinTheRun) {
  Scrubber scrubber = over(100);
  scrubber.seek(1e9);
  EXPECT_EQ(scrubber.step(), 100);
  scrubber.move(-1000);
  EXPECT_EQ(scrubber.step(), 0);
  scrubber.seek(90);
  scrubber.set_extent(0, 50);
  EXPECT_EQ(scrubber.step(), 50);
}

TEST(Scrubber, PlaysFromTheStartWhenAtTheEndAndStopsThere) {
  Scrubber scrubber = over(120);
  scrubber.toggle_play();
  EXPECT_EQ(scrubber.step(), 0);
  scrubber.tick(Scrubber::kPlaySecs / 2);
  EXPECT_NEAR(scrubber.step(), 60, 1e-9);
  scrubber.tick(Scrubber::kPlaySecs);
  EXPECT_EQ(scrubber.step(), 120);
  EXPECT_FALSE(scrubber.playing());
}

TEST(Scrubber, StopsAtFlags) {
  Scrubber scrubber = over(100);
  scrubber.set_flags({{30, FlagKind::kCheckpoint}, {60, FlagKind::kEvaluation}});
  scrubber.seek(10);
  scrubber.to_flag(1);
  EXPECT_EQ(scrubber.step(), 30);
  scrubber.to_flag(1);
  EXPECT_EQ(scrubber.step(), 60);
  scrubber.to_flag(1);
  EXPECT_EQ(scrubber.step(), 100);
  scrubber.to_flag(-1);
  EXPECT_EQ(scrubber.step(), 60);
}

TEST(Scrubber, ARunWithoutStepsCannotPlay) {
  Scrubber scrubber = over(0);
  scrubber.toggle_play();
  EXPECT_FALSE(scrubber.playing());
}

}  // namespace
}  // namespace lathe::ui
