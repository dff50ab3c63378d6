// The draft gives the document that the command line would read, and keeps half-typed text.
#include "ui/model/sweep_draft.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tests/ui/fake_world.h"
#include "ui/model/sweep_preview.h"

namespace lathe::ui {
namespace {

namespace ex = experiments;

const ParamInfo& param(const std::string& path) {
  for (const ParamInfo& one : ex::run_spec_params()) {
    if (one.path == path) {
      return one;
    }
  }
  ADD_FAILURE() << "no parameter " << path;
  return ex::run_spec_params().front();
}

TEST(SweepDraft, SampleThroughTheEditorIsTheSample) {
  SweepDraft draft;
  ASSERT_TRUE(draft.load(testing::sample_sweep()).ok());
  const Result<Json> document = draft.document();
  ASSERT_TRUE(document.ok());
  const Result<ex::SweepSpec> again = ex::sweep_from_json(*document);
  ASSERT_TRUE(again.ok());
  const Result<std::vector<ex::PlannedPoint>> points =
      ex::expand(*again, testing::fake_predictor());
  ASSERT_TRUE(points.ok());
  EXPECT_EQ(points->size(), 4U);
  EXPECT_EQ(ex::get_path((*points)[2].spec, "method.low_rank.rank"), 16);
}

TEST(SweepDraft, TogglingAnAxisOffersValuesWithinTheRange) {
  SweepDraft draft;
  draft.toggle_axis(param("model.layers"));
  ASSERT_TRUE(draft.is_axis("model.layers"));
  EXPECT_EQ(draft.find_axis("model.layers")->values, "2, 4, 8");
  draft.toggle_axis(param("model.tied"));
  EXPECT_EQ(draft.find_axis("model.tied")->values, "false, true");
  draft.toggle_axis(param("model.layers"));
  EXPECT_FALSE(draft.is_axis("model.layers"));
}

TEST(SweepDraft, SaysWhatIsWrongAndKeepsTheText) {
  SweepDraft draft;
  draft.toggle_axis(param("model.layers"));
  AxisDraft axis = *draft.find_axis("model.layers");
  axis.values = "2, four";
  draft.set_axis(axis);
  const Result<Json> document = draft.document();
  ASSERT_FALSE(document.ok());
  EXPECT_NE(document.error().message.find("layers"), std::string::npos);
  SweepDraft restored;
  restored.restore(draft.to_text());
  ASSERT_TRUE(restored.is_axis("model.layers"));
  EXPECT_EQ(restored.find_axis("model.layers")->values, "2, four");
}

TEST(SweepDraft, RestoringRubbishChangesNothing) {
  SweepDraft draft;
  const std::string before = draft.to_text();
  for (const char* text :
       {"", "nonsense", "[]", R"({"base": 3})", R"({"base": {"model": {"dim": "x"}}})"}) {
    draft.restore(text);
    EXPECT_EQ(draft.to_text(), before) << text;
  }
  draft.restore(R"({"base": {}, "axes": [3, {"path": 5}, {"path": "no.such"}], "seeds": "x"})");
  EXPECT_TRUE(draft.axes().empty());
}

TEST(SweepDraft, AMethodThatIsSwitchedOffTakesItsAxesAlong) {
  SweepDraft draft;
  ASSERT_TRUE(draft.load(testing::sample_sweep()).ok());
  EXPECT_TRUE(draft.has_method("low_rank"));
  draft.set_method("low_rank", false);
  EXPECT_FALSE(draft.has_method("low_rank"));
  EXPECT_TRUE(draft.axes().empty());
  draft.set_method("low_rank", true);
  EXPECT_TRUE(draft.document().ok());
}

TEST(SweepPreview, AnswersTheLastOfABurst) {
  SweepPreview preview(testing::fake_predictor(), [] {});
  SweepDraft draft;
  ASSERT_TRUE(draft.load(testing::sample_sweep()).ok());
  for (std::uint64_t revision = 1; revision <= 20; ++revision) {
    draft.set_seeds(static_cast<std::int64_t>(revision % 3 + 1));
    preview.request(revision, *draft.spec());
  }
  for (int i = 0; i < 500 && preview.pending(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_NE(preview.latest(), nullptr);
  EXPECT_EQ(preview.latest()->revision, 20U);
  EXPECT_EQ(preview.latest()->runnable(), 4 * 3);
  EXPECT_GT(preview.latest()->points[0].predicted_peak_bytes, 0);
}

}  // namespace
}  // namespace lathe::ui
