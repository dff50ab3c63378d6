// Sweeps: documents, command-line axes, points in their order, random draws, conditions.
#include "experiments/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "experiments/condition.h"
#include "experiments/ids.h"

namespace lathe::experiments {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SweepSpec with_axes(const std::vector<std::string>& assignments) {
  SweepSpec sweep;
  for (const std::string& assignment : assignments) {
    const Result<void> applied = apply_axis(assignment, sweep);
    EXPECT_TRUE(applied.ok()) << assignment << ": " << applied.error().text();
  }
  return sweep;
}

std::vector<PlannedPoint> points_of(const SweepSpec& sweep, const Predictor& predict = {}) {
  auto points = expand(sweep, predict);
  EXPECT_TRUE(points.ok()) << points.error().text();
  return points.ok() ? *points : std::vector<PlannedPoint>{};
}

std::vector<std::string> labels(const std::vector<PlannedPoint>& points) {
  std::vector<std::string> out;
  for (const PlannedPoint& point : points) {
    out.push_back(point.label);
  }
  return out;
}

std::vector<double> numbers(const std::vector<PlannedPoint>& points, std::string_view path) {
  std::vector<double> out;
  for (const PlannedPoint& point : points) {
    out.push_back(get_path(point.spec, path).get<double>());
  }
  return out;
}

TEST(Sweep, GridRunsTheLastAxisFastestAndSeedsFastestOfAll) {
  SweepSpec sweep = with_axes({"method.low_rank.rank=0,16", "model.layers=2,3"});
  sweep.seeds = 2;
  const auto points = points_of(sweep);
  EXPECT_THAT(labels(points), ElementsAre("dense-layers2-s0", "dense-layers2-s1",
                                          "dense-layers3-s0", "dense-layers3-s1", "r16-layers2-s0",
                                          "r16-layers2-s1", "r16-layers3-s0", "r16-layers3-s1"));
  EXPECT_THAT(numbers(points, "seed"), ElementsAre(0, 1, 0, 1, 0, 1, 0, 1));
  EXPECT_EQ(points[5].index, 5);
}

TEST(Sweep, PointsCarryCanonicalSpecs) {
  const auto points = points_of(with_axes({"model.dim=64,128"}));
  ASSERT_EQ(points.size(), 2u);
  const auto spec = run_spec_from_json(points[1].spec);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->train.model.dim, 128);
  EXPECT_EQ(to_json(*spec).dump(), points[1].spec.dump());
}

TEST(Sweep, RangeStopsBeforeItsEnd) {
  EXPECT_THAT(numbers(points_of(with_axes({"model.layers=range(2,9,3)"})), "model.layers"),
              ElementsAre(2, 5, 8));
  EXPECT_THAT(numbers(points_of(with_axes({"optim.lr=range(0.1,0.4,0.1)"})), "optim.lr"),
              ElementsAre(0.1, 0.2, 0.3));
}

TEST(Sweep, LogAxisIsEvenInTheLogarithmAndExactAtItsEnds) {
  const auto lr = numbers(points_of(with_axes({"lr=log(1e-5,1e-3,3)"})), "optim.lr");
  EXPECT_THAT(lr, ElementsAre(1e-5, 1e-4, 1e-3));
  // Whole numbers that coincide are one point.
  EXPECT_THAT(numbers(points_of(with_axes({"model.layers=log(1,4,7)"})), "model.layers"),
              ElementsAre(1, 2, 3, 4));
}

TEST(Sweep, RandomSearchIsDecidedByTheSeedAndStaysInRange) {
  SweepSpec sweep = with_axes({"optim.lr=uniform(1e-4,1e-3)", "model.layers=1,2,4"});
  sweep.search = "random";
  sweep.trials = 20;
  const auto first = numbers(points_of(sweep), "optim.lr");
  EXPECT_EQ(first, numbers(points_of(sweep), "optim.lr"));
  for (const double lr : first) {
    EXPECT_GE(lr, 1e-4);
    EXPECT_LT(lr, 1e-3);
  }
  EXPECT_EQ(std::set<double>(first.begin(), first.end()).size(), 20u);
  sweep.trials = 25;  // more trials leave the earlier ones as they were
  const auto longer = numbers(points_of(sweep), "optim.lr");
  EXPECT_TRUE(std::equal(first.begin(), first.end(), longer.begin()));
  set_path(sweep.base, "seed", 7);
  EXPECT_NE(numbers(points_of(sweep), "optim.lr"), longer);
}

TEST(Sweep, RandomSearchNeedsTrialsAndAGridCannotDraw) {
  SweepSpec sweep = with_axes({"optim.lr=uniform(1e-4,1e-3)"});
  const auto grid = expand(sweep, {});
  ASSERT_FALSE(grid.ok());
  EXPECT_THAT(grid.error().message, HasSubstr("optim.lr"));
  sweep.search = "random";
  EXPECT_FALSE(expand(sweep, {}).ok());
}

TEST(Sweep, AssignmentsOfOneValueChangeTheBase) {
  const SweepSpec sweep = with_axes({"model.dim=64,128", "model.dim=256", "seed=3"});
  EXPECT_TRUE(sweep.axes.empty());
  EXPECT_EQ(get_path(sweep.base, "model.dim"), 256);
  EXPECT_EQ(points_of(sweep).size(), 1u);
}

TEST(Sweep, RefusesWrongAxesByName) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"model.dimm=1,2", "model.dim"},
      {"train.eval_every=1,2", "cannot be an axis"},
      {"model.dim=range(64)", "not a legal axis"},
      {"model.dim=range(128,64)", "below the second"},
      {"optim.lr=log(0,1,5)", "above 0"},
      {"model.tied=range(0,1)", "only numbers"},
      {"model.dim=64,banana", "banana"},
      {"model.dim=4,64", "model.dim=4"},
      {"nothing", "neither an override nor an axis"}};
  for (const auto& [assignment, part] : wrong) {
    SweepSpec sweep;
    const Result<void> applied = apply_axis(assignment, sweep);
    ASSERT_FALSE(applied.ok()) << assignment;
    EXPECT_EQ(applied.error().kind, ErrorKind::kUsage);
    EXPECT_THAT(applied.error().text(), HasSubstr(part)) << assignment;
  }
}

TEST(Sweep, DocumentsSurviveARoundTrip) {
  SweepSpec sweep = with_axes({"method.low_rank.rank=0,8", "optim.lr=log(1e-5,1e-3,5)",
                               "model.layers=range(1,5,2)", "optim.weight_decay=uniform(0,0.5)"});
  sweep.name = "ranks";
  sweep.search = "random";
  sweep.trials = 4;
  sweep.where = {"mem.peak < 2GiB"};
  sweep.target_secs = 50;
  const Json document = to_json(sweep);
  const auto again = sweep_from_json(document);
  ASSERT_TRUE(again.ok()) << again.error().text();
  EXPECT_EQ(to_json(*again).dump(), document.dump());
}

TEST(Sweep, DocumentErrorsComeAllAtOnce) {
  const auto sweep = sweep_from_json(
      {{"model", {{"dimm", 3}}},
       {"sweep", {{"axes", {{"model.heads", 7}}}, {"seeds", 0}, {"search", "guess"}}}});
  ASSERT_FALSE(sweep.ok());
  for (const char* part : {"dimm", "model.heads", "seeds", "guess"}) {
    EXPECT_THAT(sweep.error().message, HasSubstr(part));
  }
}

TEST(Sweep, ConditionsDropPointsWithTheReason) {
  SweepSpec sweep = with_axes({"model.dim=64,128"});
  sweep.where = {"mem.peak < 1KiB"};
  const Predictor predict = [](const RunSpec& spec) -> Result<Prediction> {
    return Prediction{spec.train.model.dim * 10, 1, 2, 3, {}};
  };
  const auto points = points_of(sweep, predict);
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].excluded_because, "");
  EXPECT_EQ(points[0].predicted_peak_bytes, 640);
  EXPECT_THAT(points[1].excluded_because, HasSubstr("mem.peak is 1.25 KiB"));
  EXPECT_FALSE(expand(sweep, {}).ok());  // nothing to compare with
}

TEST(Sweep, IllegalPointsStayWithTheReason) {
  const Predictor predict = [](const RunSpec& spec) -> Result<Prediction> {
    if (spec.train.model.heads == 3) {
      return Error{ErrorKind::kUsage, "3 heads do not divide dim", ""};
    }
    return Prediction{};
  };
  const auto points = points_of(with_axes({"model.heads=2,3,4"}), predict);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[1].excluded_because, "3 heads do not divide dim");
  EXPECT_EQ(points[2].excluded_because, "");
}

TEST(Condition, UnitsAndComparisons) {
  const Prediction prediction{2048, 1'000'000, 7, 0, {}};
  const auto drops = [&](const std::string& text) {
    const auto condition = parse_condition(text);
    EXPECT_TRUE(condition.ok()) << text;
    return !why_dropped(*condition, prediction).empty();
  };
  EXPECT_FALSE(drops("mem.peak <= 2KiB"));
  EXPECT_TRUE(drops("mem.peak<2KiB"));
  EXPECT_FALSE(drops("model.params >= 1M"));
  EXPECT_TRUE(drops("model.params > 1e6"));
  EXPECT_FALSE(drops("model.stored_bytes < 8 B"));
  for (const char* wrong : {"mem.peak", "mem.peak < ", "mem.peak < 2 parsecs", "loss < 3",
                            "mem.peak < -1", "mem.peak = 3"}) {
    EXPECT_FALSE(parse_condition(wrong).ok()) << wrong;
  }
}

TEST(Ids, AreTenUnambiguousCharactersAndNeverTheSame) {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) {
    ids.insert(new_id());
  }
  EXPECT_EQ(ids.size(), 10'000u);
  for (const std::string& id : ids) {
    EXPECT_EQ(id.size(), 10u);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz"), std::string::npos) << id;
  }
}

}  // namespace
}  // namespace lathe::experiments
