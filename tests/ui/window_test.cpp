// The first session of a person, by clicks: start the sample, see its curves, compare, scrub,
// filter, tag, delete, undo.
#include <gtest/gtest.h>
#include <imgui.h>
#include <imgui_te_context.h>

#include "tests/ui/stage.h"

namespace lathe::ui::testing {
namespace {

namespace ex = experiments;

template <typename Kind>
bool sent(const std::vector<ex::Command>& commands) {
  for (const ex::Command& command : commands) {
    if (std::holds_alternative<Kind>(command)) {
      return true;
    }
  }
  return false;
}

const RunRow* row_of(Stage& stage, const std::string& name) {
  for (const RunRow& row : stage.bench().rows()) {
    if (row.name == name) {
      return &row;
    }
  }
  return nullptr;
}

TEST(Window, TheSampleIsOneClickAway) {
  Stage stage({});
  stage.bench().set_sample(sample_offer());
  EXPECT_TRUE(
      stage.act("click", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Live/###run_sample"); }));
  const std::vector<ex::Command> commands = stage.commands().take();
  ASSERT_EQ(commands.size(), 1U);
  ASSERT_TRUE(std::holds_alternative<ex::StartSweep>(commands[0]));
  EXPECT_EQ(std::get<ex::StartSweep>(commands[0]).sweep, sample_sweep());
  EXPECT_TRUE(stage.live().snapshot()->busy);
}

TEST(Window, EnterStartsTheSampleEvenBeforeTheMachineIsMeasured) {
  Stage stage({});
  EXPECT_TRUE(stage.act("enter", [](ImGuiTestContext* ctx) { ctx->KeyPress(ImGuiKey_Enter); }));
  EXPECT_TRUE(stage.commands().take().empty());
  stage.bench().set_sample(sample_offer());
  stage.frames(2);
  EXPECT_TRUE(sent<ex::StartSweep>(stage.commands().take()));
}

TEST(Window, ASweepRunsPausesAndStopsByClicks) {
  Stage stage({});
  stage.bench().set_sample(sample_offer());
  ScriptedSweep script;
  script.begin(stage.live());
  for (int step = 0; step < 30; ++step) {
    script.step(stage.live(), 0, step);
  }
  stage.frames(3);
  EXPECT_EQ(stage.bench().state().focus, script.points()[0].run);
  EXPECT_TRUE(
      stage.act("pause", [](ImGuiTestContext* ctx) { ctx->ItemClick("//##bar/###pause"); }));
  EXPECT_TRUE(sent<ex::PauseRun>(stage.commands().take()));
  stage.live().on_event(ex::RunPaused{script.points()[0].run, 29});
  stage.frames(2);
  EXPECT_TRUE(
      stage.act("continue", [](ImGuiTestContext* ctx) { ctx->ItemClick("//##bar/###pause"); }));
  EXPECT_TRUE(sent<ex::ResumeRun>(stage.commands().take()));
  EXPECT_TRUE(stage.act("stop", [](ImGuiTestContext* ctx) { ctx->ItemClick("//##bar/###stop"); }));
  EXPECT_TRUE(sent<ex::StopAll>(stage.commands().take()));
}

TEST(Window, FilterTickAndCompare) {
  Stage stage({.recorded = true});
  ASSERT_TRUE(stage.settle([&] { return stage.bench().rows().size() == 4; }));
  EXPECT_TRUE(stage.act(
      "filter", [](ImGuiTestContext* ctx) { ctx->ItemInputValue("//Runs/##filter", "rank>=16"); }));
  EXPECT_EQ(stage.bench().state().filter, "rank>=16");
  EXPECT_TRUE(stage.act("tick", [](ImGuiTestContext* ctx) {
    ctx->ItemClick("//Runs/###tick");
    ctx->ItemClick("//Runs/###compare");
  }));
  EXPECT_EQ(stage.bench().state().compared.size(), 2U);
  ASSERT_TRUE(stage.settle([&] { return !stage.bench().animated(); }));
  EXPECT_TRUE(stage.act("compare is in front", [](ImGuiTestContext* ctx) {
    ctx->ItemUncheck("//Compare/only what differs");
  }));
  EXPECT_FALSE(stage.bench().state().only_differences);
}

TEST(Window, TagThenDeleteWithConfirmationThenUndo) {
  Stage stage({.recorded = true});
  ASSERT_TRUE(stage.settle([&] { return stage.bench().rows().size() == 4; }));
  EXPECT_TRUE(stage.act("tag", [](ImGuiTestContext* ctx) {
    ctx->ItemClick("//Inspector/##add_tag");
    ctx->KeyCharsAppendEnter("good");
  }));
  const std::string focus = stage.bench().state().focus;
  ASSERT_TRUE(stage.settle([&] {
    for (const RunRow& row : stage.bench().rows()) {
      if (row.id == focus && row.tags == std::vector<std::string>{"good"}) {
        return true;
      }
    }
    return false;
  }));
  EXPECT_TRUE(stage.act("delete", [](ImGuiTestContext* ctx) {
    ctx->ItemClick("//Runs/###delete");
    ctx->ItemClick("//Move to the trash?/Move to the trash");
  }));
  ASSERT_TRUE(stage.settle([&] {
    for (const RunRow& row : stage.bench().rows()) {
      if (row.id == focus) {
        return row.trashed;
      }
    }
    return false;
  }));
  EXPECT_TRUE(stage.act("undo", [](ImGuiTestContext* ctx) { ctx->ItemClick("//##toast/Undo"); }));
  EXPECT_TRUE(stage.settle([&] {
    for (const RunRow& row : stage.bench().rows()) {
      if (row.trashed) {
        return false;
      }
    }
    return true;
  }));
}

TEST(Window, ScrubThroughARecordedRun) {
  Stage stage({.recorded = true});
  ASSERT_TRUE(stage.settle([&] { return stage.bench().rows().size() == 4; }));
  stage.bench().state().focus = row_of(stage, "old-r8")->id;
  stage.frames(3);
  EXPECT_EQ(stage.bench().scrubber().last(), 200);
  EXPECT_TRUE(stage.act("first", [](ImGuiTestContext* ctx) {
    ctx->ItemClick("//##time/###first");
    ctx->ItemClick("//##time/###forward");
  }));
  EXPECT_EQ(stage.bench().scrubber().step(), 1);
  EXPECT_TRUE(
      stage.act("drag", [](ImGuiTestContext* ctx) { ctx->ItemClick("//##time/###scrub"); }));
  EXPECT_NEAR(stage.bench().scrubber().step(), 100, 2);
  EXPECT_TRUE(stage.act("live", [](ImGuiTestContext* ctx) { ctx->ItemClick("//##time/###live"); }));
  EXPECT_TRUE(stage.bench().scrubber().live());
}

TEST(Window, TheSweepEditorPredictsAndStarts) {
  Stage stage({});
  stage.bench().set_sample(sample_offer());
  EXPECT_TRUE(stage.act("open", [](ImGuiTestContext* ctx) { ctx->KeyPress(ImGuiKey_3); }));
  ASSERT_TRUE(stage.settle([&] { return !stage.bench().animated(); }));
  EXPECT_TRUE(
      stage.act("start", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Sweep/**/###start"); }));
  const std::vector<ex::Command> commands = stage.commands().take();
  ASSERT_TRUE(sent<ex::StartSweep>(commands));
  EXPECT_EQ(std::get<ex::StartSweep>(commands[0]).sweep, sample_sweep());
}

TEST(Window, PanningFreesAPlotAndTheLegendHidesARun) {
  Stage stage({});
  ScriptedSweep script;
  script.play(stage.live());
  stage.frames(5);
  const std::string run = script.points()[1].run;
  EXPECT_TRUE(stage.act("legend", [&](ImGuiTestContext* ctx) {
    ctx->ItemClick(("//Live/" + run + "/###legend").c_str());
  }));
  EXPECT_TRUE(contains(stage.bench().state().hidden, run));
}

TEST(Window, ClosingWhileTrainingAsksOnceAndStopsSafely) {
  Stage stage({});
  ScriptedSweep script;
  script.begin(stage.live());
  script.step(stage.live(), 0, 0);
  stage.frames(2);
  stage.bench().request_close();
  stage.frames(3);
  EXPECT_FALSE(stage.bench().may_close());
  EXPECT_TRUE(stage.act("stop", [](ImGuiTestContext* ctx) {
    ctx->ItemClick("//Something is training/Stop with a checkpoint");
  }));
  EXPECT_TRUE(sent<ex::StopAll>(stage.commands().take()));
  EXPECT_FALSE(stage.bench().may_close());
  script.finish(stage.live());
  stage.frames(3);
  EXPECT_TRUE(stage.bench().may_close());
}

TEST(Window, ClosingWhileIdleJustCloses) {
  Stage stage({});
  stage.bench().request_close();
  EXPECT_TRUE(stage.bench().may_close());
}

TEST(Window, ThePaletteFindsActions) {
  Stage stage({});
  EXPECT_TRUE(stage.act("palette", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiMod_Ctrl | ImGuiKey_K);
    ctx->KeyCharsAppendEnter("dark and light");
  }));
  stage.frames(3);
  EXPECT_EQ(stage.bench().state().theme, ThemeKind::kLight);
}

TEST(Window, RemembersItsLayoutAndDraft) {
  UiState saved;
  {
    Stage stage({});
    stage.bench().set_sample(sample_offer());
    stage.frames(3);
    saved = stage.bench().state_to_save();
  }
  EXPECT_NE(saved.layout.find("[Docking]"), std::string::npos);
  Stage again({.state = saved});
  EXPECT_EQ(again.bench().draft().axes().size(), 1U);
}

}  // namespace
}  // namespace lathe::ui::testing
