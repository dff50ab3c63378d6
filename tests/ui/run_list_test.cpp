// Rows from store and engine, their order, the filter language and the colours.
#include "ui/model/run_list.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ui/fake_world.h"
#include "ui/model/run_filter.h"

namespace lathe::ui {
namespace {

RunRow row(const std::string& name, std::int64_t rank, double loss) {
  RunRow out;
  out.id = out.name = name;
  out.state = RunState::kDone;
  out.last["eval/loss"] = loss;
  Json spec = experiments::to_json(experiments::RunSpec{});
  experiments::set_path(spec, "method.low_rank", Json{{"rank", rank}});
  out.spec = std::make_shared<const Json>(std::move(spec));
  return out;
}

struct Rows {
  std::vector<RunRow> rows{row("a", 4, 3.5), row("b", 8, 3.2), row("c", 16, NAN)};
  std::vector<const RunRow*> pointers() const {
    std::vector<const RunRow*> out;
    for (const RunRow& one : rows) {
      out.push_back(&one);
    }
    return out;
  }
  std::string matching(const std::string& filter) const {
    const RunFilter compiled(filter);
    std::string out;
    for (const RunRow& one : rows) {
      out += compiled.matches(one) ? one.name : "";
    }
    return out;
  }
};

TEST(RunList, SortsWithMissingNumbersLastBothWays) {
  const Rows rows;
  std::vector<const RunRow*> up = rows.pointers();
  sort_rows(up, "eval/loss", false);
  EXPECT_EQ(up[0]->name + up[1]->name + up[2]->name, "bac");
  std::vector<const RunRow*> down = rows.pointers();
  sort_rows(down, "eval/loss", true);
  EXPECT_EQ(down[0]->name + down[1]->name + down[2]->name, "abc");
}

TEST(RunFilter, ComparesParametersAndMetricsWithAndWithoutSpaces) {
  Rows rows;
  EXPECT_EQ(rows.matching(""), "abc");
  EXPECT_EQ(rows.matching("rank>=8"), "bc");
  EXPECT_EQ(rows.matching("rank >= 8 and eval/loss < 3.4"), "b");
  EXPECT_EQ(rows.matching("method.low_rank.rank=4"), "a");
  EXPECT_EQ(rows.matching("rank!=4"), "bc");
  EXPECT_EQ(rows.matching("state:done rank<16"), "ab");
}

TEST(RunFilter, WordsLookIntoTagsAndNotes) {
  Rows rows;
  rows.rows[1].tags = {"Baseline"};
  rows.rows[2].note = "look again";
  EXPECT_EQ(rows.matching("baseline"), "b");
  EXPECT_EQ(rows.matching("tag:base"), "b");
  EXPECT_EQ(rows.matching("again"), "c");
  EXPECT_EQ(rows.matching("nothing of this"), "");
}

TEST(RunFilter, KnowsUnits) {
  Rows rows;
  rows.rows[0].peak_bytes = 3 << 20;
  rows.rows[1].peak_bytes = 1 << 20;
  EXPECT_EQ(rows.matching("peak<2MiB"), "b");
}

TEST(RunFilter, NamesKeysThatNoRunHas) {
  const Rows rows;
  EXPECT_EQ(RunFilter("rnk>3").unknown_keys(rows.rows), std::vector<std::string>{"rnk"});
  EXPECT_TRUE(RunFilter("rank>3 eval/loss<9").unknown_keys(rows.rows).empty());
}

TEST(RunList, FindsWhatVaries) {
  const Rows rows;
  EXPECT_EQ(varying_params(rows.pointers(), 4), std::vector<std::string>{"method.low_rank.rank"});
}

TEST(RunList, TheEngineKnowsBetterThanTheStore) {
  StoreSnapshot store;
  storage::RunSummary summary;
  summary.id = "run0000000";
  summary.name = "r4";
  summary.state = RunState::kRunning;
  summary.step = 3;
  store.runs.push_back(summary);
  LiveView view;
  testing::ScriptedSweep play(20);
  play.begin(view);
  for (int step = 0; step <= 10; ++step) {
    play.step(view, 0, step);
  }
  const std::vector<RunRow> rows = merge_runs(store, *view.snapshot());
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].step, 10);
  EXPECT_EQ(rows[0].sweep_name, "sample");
  EXPECT_FALSE(std::isnan(number_of(rows[0], "loss")));
}

TEST(RunList, AColourBelongsToARun) {
  RunRow in_sweep;
  in_sweep.id = "x";
  in_sweep.point = 3;
  EXPECT_EQ(color_index(in_sweep, 10), 3U);
  RunRow alone;
  alone.id = "somerun";
  EXPECT_EQ(color_index(alone, 10), color_index(alone, 10));
}

}  // namespace
}  // namespace lathe::ui
