// Memory by clicks: an empty panel that says what is missing, a recorded step, the trace's command,
// another run beside it, and a step of a hundred thousand allocations within a frame.
#include <gtest/gtest.h>
#include <imgui.h>
#include <imgui_te_context.h>

#include "tests/support/step_profile.h"
#include "tests/ui/stage.h"

namespace lathe::ui::testing {
namespace {

void bring_to_front(Stage& stage) {
  EXPECT_TRUE(stage.act("front", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_9);
    ctx->Yield(3);
  }));
}

// Recorded runs, all of which have such a step.
Stage::Options recorded(std::int64_t blocks) {
  UiState state;
  state.focus = "old0000000";
  state.follow_newest = false;
  return {.state = state, .recorded = true, .profile = test::ProfileMaker(blocks).profile()};
}

bool is_drawn(ImGuiTestContext* ctx, const char* item) {
  return ctx->ItemInfo(item, ImGuiTestOpFlags_NoError).ID != 0;
}

TEST(Memory, WithoutARecordedStepNothingIsDrawn) {
  Stage stage({});
  bring_to_front(stage);
  EXPECT_TRUE(stage.act(
      "empty", [](ImGuiTestContext* ctx) { IM_CHECK(!is_drawn(ctx, "//Memory/###trace")); }));
}

TEST(Memory, AStepIsShownAndItsTraceIsACommand) {
  Stage stage(recorded(6));
  bring_to_front(stage);
  EXPECT_TRUE(stage.act("trace", [](ImGuiTestContext* ctx) {
    IM_CHECK(is_drawn(ctx, "//Memory/##parts"));
    ctx->ItemClick("//Memory/###trace");
    IM_CHECK_STR_EQ(ImGui::GetClipboardText(),
                    "lathe export old0000000 --format trace -o memory.json");
  }));
}

TEST(Memory, AnotherRunStandsBesideIt) {
  Stage stage(recorded(6));
  bring_to_front(stage);
  EXPECT_TRUE(stage.act("compare", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Memory");
    ctx->ComboClick("##other/old-r8##old0000001");
    ctx->Yield(3);
    ctx->ComboClick("##other/no other run");
    ctx->Yield(3);
  }));
}

TEST(Memory, SettingsArePlannedAndTheSliderCutsInputs) {
  Stage stage({});
  bring_to_front(stage);
  const auto planned = [&](const char* item) {
    return stage.settle([&] {
      bool drawn = false;
      EXPECT_TRUE(stage.act("look", [&](ImGuiTestContext* ctx) { drawn = is_drawn(ctx, item); }));
      return drawn;
    });
  };
  EXPECT_TRUE(
      stage.act("plan", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Memory/settings"); }));
  ASSERT_TRUE(planned("//Memory/##sub_tokens"));
  const SweepDraft& draft = stage.bench().draft();
  EXPECT_FALSE(draft.has_method("velora"));
  // Five places: whole, 2, 4, 8, 16. The middle is 4, which the fake refuses.
  EXPECT_TRUE(
      stage.act("cut", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Memory/##sub_tokens"); }));
  ASSERT_TRUE(planned("//Memory/keep inputs whole")) << draft.value("method.velora");
  EXPECT_EQ(draft.value("method.velora.sub_token_size"), Json(4));
  EXPECT_TRUE(stage.act(
      "whole", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Memory/keep inputs whole"); }));
  ASSERT_TRUE(planned("//Memory/##sub_tokens"));
  EXPECT_EQ(draft.value("method.velora.sub_token_size"), Json(0));
}

// A hundred thousand allocations.
TEST(Memory, DrawingStaysWithinAFrame) {
  Stage stage(recorded(25'000));
  bring_to_front(stage);
  stage.frames(60);
  EXPECT_LT(stage.bench().build_ms(), 16.0);
}

}  // namespace
}  // namespace lathe::ui::testing
