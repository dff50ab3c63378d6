// Palettes by clicks: an empty panel that starts a DKM run, the list, what is drawn of a matrix,
// the time strip, and the bits of the next run.
#include <gtest/gtest.h>
#include <imgui.h>
#include <imgui_te_context.h>

#include "tests/ui/fake_palettes.h"
#include "tests/ui/stage.h"

namespace lathe::ui::testing {
namespace {

void bring_to_front(Stage& stage) {
  EXPECT_TRUE(stage.act("front", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_0);
    ctx->Yield(3);
  }));
}

// A run in focus whose palettes are told until `steps`.
void train(Stage& stage, std::int64_t blocks, std::int64_t steps) {
  ScriptedSweep script;
  script.begin(stage.live());
  for (std::int64_t step = 0; step <= steps; ++step) {
    script.step(stage.live(), 0, step);
  }
  tell_palettes(stage.live(), script.points()[0].run, blocks, steps, 20);
  EXPECT_TRUE(stage.settle([&] { return stage.bench().state().focus == "run0000000"; }));
}

bool is_drawn(ImGuiTestContext* ctx, const char* item) {
  return ctx->ItemInfo(item, ImGuiTestOpFlags_NoError).ID != 0;
}

TEST(Palettes, WithoutARunAButtonPutsDkmIntoSetup) {
  Stage stage({});
  bring_to_front(stage);
  EXPECT_FALSE(stage.bench().draft().has_method("dkm"));
  EXPECT_TRUE(stage.act("start", [](ImGuiTestContext* ctx) {
    ctx->ItemClick("//Palettes/###setup_dkm");
    ctx->Yield(3);
    ctx->SetRef("//Setup");
    IM_CHECK(is_drawn(ctx, "**/Sweep this"));
  }));
  EXPECT_EQ(stage.bench().draft().value("method.dkm.bits"), Json(3));
}

TEST(Palettes, AClickChoosesTheMatrixThatIsDrawn) {
  Stage stage({});
  train(stage, 1, 100);
  bring_to_front(stage);
  EXPECT_TRUE(stage.act("choose", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Palettes");
    IM_CHECK(is_drawn(ctx, "**/##palette_shown"));
    ctx->ItemClick("**/layers.0.mlp.down");
    ctx->Yield(3);
    // The first alone has several palettes.
    IM_CHECK(!is_drawn(ctx, "**/##palette_shown"));
    ctx->ItemClick("**/layers.0.attention.q");
    ctx->Yield(3);
    IM_CHECK(is_drawn(ctx, "**/##palette_shown"));
  }));
}

TEST(Palettes, TheTimeStripGoesBackToEarlierSnapshots) {
  Stage stage({});
  train(stage, 1, 100);
  bring_to_front(stage);
  stage.bench().scrubber().seek(35);
  stage.frames(3);
  stage.bench().scrubber().go_live();
  stage.frames(3);
}

TEST(Palettes, TheSliderSetsTheBitsOfTheNextRun) {
  Stage stage({});
  train(stage, 1, 40);
  bring_to_front(stage);
  EXPECT_TRUE(stage.act(
      "bits", [](ImGuiTestContext* ctx) { ctx->ItemInputValue("//Palettes/##dkm_bits", 5); }));
  EXPECT_EQ(stage.bench().draft().value("method.dkm.bits"), Json(5));
  EXPECT_EQ(stage.bench().draft().value("method.dkm.clusters"), Json(0));
}

// What the store holds of an earlier run.
TEST(Palettes, ARecordedRunIsShownToo) {
  UiState state;
  state.focus = "old0000001";
  state.follow_newest = false;
  const auto palettes = std::make_shared<const std::vector<PaletteView>>(some_palettes(1, 0));
  Stage stage({.state = state, .recorded = true, .palettes = {{state.focus, 0, palettes}}});
  bring_to_front(stage);
  EXPECT_TRUE(stage.settle([&] {
    bool drawn = false;
    EXPECT_TRUE(stage.act(
        "look", [&](ImGuiTestContext* ctx) { drawn = is_drawn(ctx, "//Palettes/##dkm_bits"); }));
    return drawn;
  }));
}

// A model of 32 blocks, 224 matrices, after 200 evaluations.
TEST(Palettes, DrawingStaysWithinAFrame) {
  Stage stage({});
  train(stage, 32, 4000);
  bring_to_front(stage);
  stage.frames(60);
  EXPECT_LT(stage.bench().build_ms(), 16.0);
}

}  // namespace
}  // namespace lathe::ui::testing
