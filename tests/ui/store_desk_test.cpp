// The desk reads on its own thread, carries out edits, and says what went wrong.
#include "ui/model/store_desk.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/ui/fake_world.h"

namespace lathe::ui {
namespace {

using testing::FakeStore;

bool wait_for(const StoreDesk& desk, const std::function<bool(const StoreSnapshot&)>& done) {
  for (int i = 0; i < 500; ++i) {
    if (done(*desk.snapshot())) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

TEST(StoreDesk, ListsRunsAndLoadsTheCurvesThatAreWanted) {
  FakeStore store;
  testing::record_into(store);
  StoreDesk desk(store.port(), [] {});
  ASSERT_TRUE(wait_for(desk, [](const auto& now) { return now.runs.size() == 4; }));
  EXPECT_TRUE(desk.snapshot()->records.empty());
  const std::string run = desk.snapshot()->runs[1].id;
  desk.want({run});
  ASSERT_TRUE(wait_for(desk, [&](const auto& now) { return now.records.count(run) > 0; }));
  EXPECT_EQ(desk.snapshot()->records.at(run)->series.at("train/loss")->size(), 201U);
  desk.want({});
  EXPECT_TRUE(wait_for(desk, [](const auto& now) { return now.records.empty(); }));
}

TEST(StoreDesk, CarriesOutEditsEvenWhenItEndsAtOnce) {
  FakeStore store;
  testing::record_into(store);
  {
    StoreDesk desk(store.port(), [] {});
    desk.edit(TrashRun{store.runs[0].summary.id});
    desk.edit(SetTags{store.runs[1].summary.id, {"good"}});
  }
  EXPECT_TRUE(store.runs[0].summary.trashed);
  EXPECT_EQ(store.runs[1].summary.tags, std::vector<std::string>{"good"});
}

TEST(StoreDesk, TellsOfFailuresAndRecovers) {
  FakeStore store;
  testing::record_into(store);
  store.fail_with = "the file is locked";
  StoreDesk desk(store.port(), [] {});
  ASSERT_TRUE(wait_for(desk, [](const auto& now) { return !now.error.empty(); }));
  desk.edit(RenameRun{"unknown", "x"});
  ASSERT_TRUE(wait_for(desk, [](const auto& now) { return !now.edit_error.empty(); }));
  {
    const std::lock_guard lock(store.mutex);
    store.fail_with.clear();
    ++store.version;
  }
  EXPECT_TRUE(wait_for(desk, [](const auto& now) { return now.error.empty(); }));
}

}  // namespace
}  // namespace lathe::ui
