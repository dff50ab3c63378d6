// Pictures of every workspace in a real GLFW window, drawn by software without a screen, written to
// the build folder for people to look at.
#include <gtest/gtest.h>
#include <imgui.h>
#include <imgui_te_context.h>

#include <cstdlib>

#include "tests/support/step_profile.h"
#include "tests/ui/fake_palettes.h"
#include "tests/ui/stage.h"

namespace lathe::ui::testing {
namespace {

bool previewed(Stage& stage) {
  return stage.settle([&] { return !stage.bench().animated() || stage.live().snapshot()->busy; });
}

void show(Stage& stage, ImGuiKey key) {
  ImGui::GetIO().AddKeyEvent(key, true);
  stage.frames(2);
  ImGui::GetIO().AddKeyEvent(key, false);
  stage.frames(3);
}

class Pictures : public ::testing::Test {
 protected:
  void open(Stage::Options options) {
    options.pictures = true;
    stage_ = std::make_unique<Stage>(std::move(options));
    if (!stage_->ready()) {
      GTEST_SKIP() << "no off-screen OpenGL here (libosmesa6)";
    }
  }
  // Half-way through a sweep.
  void train() {
    const ScriptedSweep script;
    stage_->bench().set_sample(sample_offer());
    script_.begin(stage_->live());
    for (std::size_t point = 0; point < 3; ++point) {
      const std::int64_t last = point == 2 ? 120 : script_.steps();
      for (std::int64_t step = 0; step <= last; ++step) {
        script_.step(stage_->live(), point, step);
      }
      if (point < 2) {
        script_.finish_point(stage_->live(), point);
      }
    }
    EXPECT_TRUE(previewed(*stage_));
  }
  // Something other than the ground must be there.
  void expect_drawn(const std::string& name) { stage_->picture(name); }

  ScriptedSweep script_;
  std::unique_ptr<Stage> stage_;
};

TEST_F(Pictures, ModelsAndPlayground) {
  UiState state;
  state.recent_models = {"SmolLM2-135M-Instruct", "smol-r64.gguf"};
  state.model = "SmolLM2-135M-Instruct";
  state.playground = state.recent_models;
  open({.state = state});
  LiveView& live = stage_->live();
  for (const std::string& model : state.recent_models) {
    live.on_event(experiments::ModelOpened{"open " + model, some_model(model)});
  }
  live.on_event(experiments::JobStarted{"e", experiments::JobKind::kEvaluate, state.model,
                                        "ppl on wiki.txt"});
  live.on_event(experiments::JobFinished{
      "e", {{"perplexity", 19.6531}, {"rule", "windows of 512"}, {"tokens", 16863}}});
  show(*stage_, ImGuiKey_5);
  expect_drawn("models");
  show(*stage_, ImGuiKey_6);
  expect_drawn("playground");
}

TEST_F(Pictures, Spectrum) {
  UiState state;
  state.model = "SmolLM2-135M-Instruct";
  open({.state = state});
  LiveView& live = stage_->live();
  live.on_event(experiments::ModelOpened{"open", some_model(state.model)});
  show(*stage_, ImGuiKey_7);
  expect_drawn("spectrum-look");
  live.on_event(experiments::ModelDecomposed{"look", some_spectrum(state.model, 30)});
  stage_->frames(3);
  EXPECT_TRUE(previewed(*stage_));
  expect_drawn("spectrum");
}

TEST_F(Pictures, Quantization) {
  UiState state;
  state.model = "SmolLM2-135M-Instruct";
  open({.state = state});
  LiveView& live = stage_->live();
  live.on_event(experiments::ModelOpened{"open", some_model(state.model)});
  show(*stage_, ImGuiKey_8);
  expect_drawn("quantization-look");
  live.on_event(experiments::QuantProbed{"look", some_probe(state.model, 30)});
  stage_->frames(3);
  expect_drawn("quantization");
}

TEST_F(Pictures, Memory) {
  UiState state;
  state.focus = "old0000000";
  state.follow_newest = false;
  open({.state = state, .recorded = true, .profile = test::ProfileMaker(12).profile()});
  show(*stage_, ImGuiKey_9);
  expect_drawn("memory");
  ASSERT_TRUE(stage_->act("settings", [](ImGuiTestContext* test) {
    test->SetRef("//Memory");
    test->ItemClick("settings");
  }));
  expect_drawn("memory-settings");
}

TEST_F(Pictures, Palettes) {
  open({});
  show(*stage_, ImGuiKey_0);
  expect_drawn("palettes-empty");
  train();
  tell_palettes(stage_->live(), script_.points()[2].run, 4, 120, 10);
  stage_->frames(3);
  ASSERT_TRUE(stage_->act("choose", [](ImGuiTestContext* test) {
    test->SetRef("//Palettes");
    test->ItemInputValue("##dkm_bits", 4);
    test->ItemClick("**/layers.0.attention.k");
  }));
  EXPECT_TRUE(previewed(*stage_));
  expect_drawn("palettes");
}

TEST_F(Pictures, FirstStart) {
  open({});
  stage_->bench().set_sample(sample_offer());
  EXPECT_TRUE(previewed(*stage_));
  expect_drawn("start");
}

TEST_F(Pictures, Workspaces) {
  open({});
  train();
  expect_drawn("live");
  show(*stage_, ImGuiKey_1);
  expect_drawn("setup");
  show(*stage_, ImGuiKey_3);
  expect_drawn("sweep");
  show(*stage_, ImGuiKey_4);
  expect_drawn("compare");
}

TEST_F(Pictures, SmallAndLight) {
  UiState state;
  state.theme = ThemeKind::kLight;
  open({.width = 1280, .height = 720, .state = state});
  train();
  expect_drawn("live-small-light");
  show(*stage_, ImGuiKey_3);
  expect_drawn("sweep-small-light");
}

TEST_F(Pictures, TwiceTheScale) {
  open({.width = 2560, .height = 1440, .scale = 2});
  train();
  expect_drawn("live-hidpi");
}

TEST_F(Pictures, Failed) {
  open({.recorded = true});
  stage_->bench().set_sample(sample_offer());
  script_.play(stage_->live());
  EXPECT_TRUE(previewed(*stage_));
  stage_->bench().state().focus = script_.points()[3].run;
  stage_->bench().state().follow_newest = false;
  stage_->frames(3);
  stage_->bench().scrubber().seek(60);
  expect_drawn("failed-scrubbed");
}

}  // namespace
}  // namespace lathe::ui::testing
