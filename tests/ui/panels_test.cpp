// Every panel draws in every state of the world: nothing yet, half-filled, failed, a broken store.
// Dear ImGui's asserts are on in this build.
#include <gtest/gtest.h>
#include <imgui.h>
#include <imgui_te_context.h>

#include <chrono>
#include <thread>

#include "tests/ui/stage.h"

namespace lathe::ui::testing {
namespace {

namespace ex = experiments;

void visit_all(Stage& stage) {
  for (const Panel& panel : panels()) {
    const std::string window = std::string("//") + panel.title;
    EXPECT_TRUE(stage.act(std::string("see ") + panel.title, [&](ImGuiTestContext* ctx) {
      ctx->WindowFocus(window.c_str());
      ctx->Yield(3);
    }));
  }
}

bool exists(ImGuiTestContext* ctx, const char* item) {
  return ctx->ItemInfo(item, ImGuiTestOpFlags_NoError).ID != 0;
}

TEST(Panels, DrawWithNothing) {
  Stage stage({});
  visit_all(stage);
}

TEST(Panels, DrawHalfFilled) {
  Stage stage({});
  stage.bench().set_sample(sample_offer());
  ScriptedSweep script;
  script.begin(stage.live());
  script.step(stage.live(), 0, 0);
  stage.live().on_event(ex::Preparing{"", 0.31, "tokenizing"});
  visit_all(stage);
}

TEST(Panels, DrawAFailedSweep) {
  Stage stage({.recorded = true});
  ScriptedSweep script;
  script.play(stage.live());
  stage.bench().state().focus = script.points()[3].run;
  stage.bench().state().follow_newest = false;
  visit_all(stage);
}

TEST(Panels, DrawABrokenStore) {
  Stage stage({});
  {
    const std::lock_guard lock(stage.store().mutex);
    stage.store().fail_with = "table runs is damaged";
    ++stage.store().version;
  }
  visit_all(stage);
}

// An evaluation shows what it measured and offers nothing that only training has.
TEST(Panels, InspectAnEvaluation) {
  Stage stage({.recorded = true});
  storage::RunDetail run;
  run.summary.id = "eval000000";
  run.summary.name = "ppl of a model";
  run.summary.kind = "eval";
  run.summary.state = ex::RunState::kDone;
  run.summary.step = run.summary.total_steps = 1;
  run.summary.last = {{"task/ppl", 12.5}};
  run.spec = {{"rule", "windows of 64 tokens"},
              {"eval", {{"task", "ppl"}, {"limit", 0}}},
              {"subject", {{"name", "a model"}, {"parameters", 100}}}};
  {
    const std::lock_guard lock(stage.store().mutex);
    stage.store().runs.push_back(run);
    ++stage.store().version;
  }
  stage.bench().state().follow_newest = false;
  EXPECT_TRUE(stage.act("inspect an evaluation", [&](ImGuiTestContext* ctx) {
    ctx->SetRef("//Inspector");
    // The desk reads on its own; until it has, no run can keep the focus.
    for (int i = 0; i < 500 && stage.bench().state().focus != run.summary.id; ++i) {
      stage.bench().state().focus = run.summary.id;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      ctx->Yield(2);
    }
    IM_CHECK(exists(ctx, "##add_tag"));
    IM_CHECK(!exists(ctx, "Replay and verify"));
  }));
  visit_all(stage);
}

TEST(Panels, DrawAnInvalidDraft) {
  Stage stage({});
  stage.bench().set_sample(sample_offer());
  AxisDraft axis = stage.bench().draft().axes().front();
  axis.values = "4, eight";
  stage.bench().draft().set_axis(axis);
  visit_all(stage);
}

TEST(Panels, TheEndsOfARangeAreSlidersWithinTheParametersOwn) {
  Stage stage({});
  stage.bench().set_sample(sample_offer());
  AxisDraft axis = stage.bench().draft().axes().front();
  axis.kind = ex::AxisKind::kRange;
  axis.lo = 4;
  axis.hi = 32;
  stage.bench().draft().set_axis(axis);
  EXPECT_TRUE(stage.act("drag and type", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_3);
    ctx->Yield(3);
    ctx->ItemInputValue("**/##lo", 8);
    ctx->ItemInputValue("**/##hi", 1'000'000'000);
  }));
  axis = stage.bench().draft().axes().front();
  EXPECT_EQ(axis.lo, 8);
  EXPECT_GT(axis.hi, 32);
  EXPECT_LT(axis.hi, 1e6) << "a range may stop one above the largest value, not beyond";
}

TEST(Panels, DrawAPointThatIsRefused) {
  Stage stage({});
  stage.bench().set_sample(sample_offer());
  AxisDraft axis = stage.bench().draft().axes().front();
  axis.values = "4, 13";
  stage.bench().draft().set_axis(axis);
  ASSERT_TRUE(stage.settle([&] { return !stage.bench().animated(); }));
  visit_all(stage);
}

TEST(Panels, DrawValuesThatAreNotNumbers) {
  Stage stage({});
  ScriptedSweep script;
  script.begin(stage.live());
  script.step(stage.live(), 0, 0);
  ex::MetricBatch batch{script.points()[0].run, {}};
  for (std::int64_t step = 1; step < 50; ++step) {
    batch.points.push_back({"train/loss", step, step % 2 == 0 ? NAN : INFINITY, step});
  }
  stage.live().on_event(batch);
  stage.bench().state().smoothing = 0.9;
  stage.bench().state().log_plots = {"train/loss"};
  visit_all(stage);
}

TEST(Panels, DrawAtAnySizeAndScale) {
  for (const auto& [width, height, scale] :
       {std::tuple{640, 360, 1.0f}, std::tuple{3840, 2160, 2.0f}, std::tuple{320, 240, 1.5f}}) {
    Stage stage({.width = width, .height = height, .scale = scale});
    ScriptedSweep script;
    script.play(stage.live());
    stage.frames(3);
    for (const ImGuiKey key : {ImGuiKey_1, ImGuiKey_2, ImGuiKey_3, ImGuiKey_4}) {
      EXPECT_TRUE(stage.act("workspace", [&](ImGuiTestContext* ctx) { ctx->KeyPress(key); }));
      stage.frames(3);
    }
  }
}

}  // namespace
}  // namespace lathe::ui::testing
