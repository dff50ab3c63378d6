// Spectrum by clicks: decompose, choose ranks, look at a layer, evaluate, export.
#include <gtest/gtest.h>
#include <imgui.h>
#include <imgui_te_context.h>

#include "tests/ui/stage.h"

namespace lathe::ui::testing {
namespace {

namespace ex = experiments;

Stage::Options with_model() {
  UiState state;
  state.model = "tiny";
  return {.state = state};
}

void bring_to_front(Stage& stage) {
  stage.live().on_event(ex::ModelOpened{"open", some_model("tiny")});
  EXPECT_TRUE(stage.act("front", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_7);
    ctx->Yield(3);
  }));
}

// Decomposed, and the first plan is there.
void decompose(Stage& stage, std::int64_t blocks) {
  bring_to_front(stage);
  stage.live().on_event(ex::ModelDecomposed{"look", some_spectrum("tiny", blocks)});
  stage.frames(3);
  EXPECT_TRUE(stage.settle([&] { return !stage.bench().animated(); }));
}

TEST(Spectrum, WithoutAModelItLeadsToModels) {
  Stage stage({});
  EXPECT_TRUE(stage.act("open a model", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_7);
    ctx->Yield(3);
    ctx->ItemClick("//Spectrum/###to_models");
    ctx->Yield(3);
    IM_CHECK(ctx->ItemInfo("//Models/##model", ImGuiTestOpFlags_NoError).ID != 0);
  }));
}

TEST(Spectrum, ALookIsAskedForWatchedAndCancelled) {
  Stage stage(with_model());
  bring_to_front(stage);
  EXPECT_TRUE(stage.act("decompose", [](ImGuiTestContext* ctx) {
    ctx->ItemInputValue("//Spectrum/##samples", 8);
    ctx->ItemClick("//Spectrum/###decompose");
  }));
  const auto asked = sent<ex::DecomposeModel>(stage);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].model, "tiny");
  EXPECT_EQ(asked[0].spec["calibration"], (Json{{"samples", 8}, {"seq_len", 0}}));
  stage.live().on_event(
      ex::JobStarted{asked[0].job, ex::JobKind::kDecompose, "tiny", "decomposing tiny"});
  stage.live().on_event(ex::JobProgress{asked[0].job, 0.4, "calibrating layers.3"});
  stage.frames(3);
  EXPECT_TRUE(stage.act("cancel", [](ImGuiTestContext* ctx) { ctx->ItemClick("**/Cancel"); }));
  EXPECT_EQ(sent<ex::CancelJob>(stage).size(), 1U);
  stage.live().on_event(
      ex::JobFailed{asked[0].job, {ErrorKind::kInterrupted, "stopped", ""}, true});
  stage.frames(3);
  EXPECT_TRUE(
      stage.act("again", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Spectrum/###decompose"); }));
  EXPECT_EQ(sent<ex::DecomposeModel>(stage).size(), 1U);
}

TEST(Spectrum, RanksAreChosenMeasuredAndShown) {
  Stage stage(with_model());
  decompose(stage, 30);
  EXPECT_TRUE(stage.act("choose and evaluate", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Spectrum");
    ctx->ItemInputValue("##value", 0.7f);
    ctx->Yield(3);
    ctx->ItemClick("###evaluate_ranks");
  }));
  const auto asked = sent<ex::CompressModel>(stage);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].specs.at(0)["budget"], 0.7);
  EXPECT_EQ(asked[0].specs.at(0)["multiple"], 8);
  EXPECT_EQ(asked[0].out, "");
  ex::RunCreated created;
  created.run = "measured";
  created.name = some_model("tiny").name + " affine budget=0.7";
  created.kind = "compress";
  created.spec = {{"compress", asked[0].specs.at(0)}};
  stage.live().on_event(created);
  stage.live().on_event(ex::MetricBatch{
      "measured",
      {{"eval/ppl", 1, 21.0}, {"compress/ppl_rise", 1, 0.05}, {"model/params", 1, 1e5}}});
  stage.live().on_event(ex::RunFinished{"measured", ex::RunState::kDone, 1});
  stage.live().on_event(ex::JobFinished{asked[0].job, {{"run", "measured"}}});
  stage.frames(3);
  const RunRow* run =
      measurement_of(stage.bench().rows(), some_model("tiny").name, asked[0].specs.at(0));
  ASSERT_NE(run, nullptr);
  EXPECT_EQ(run->id, "measured");
  EXPECT_EQ(measured_points(stage.bench().rows(), some_model("tiny").name).points.size(), 1U);
  EXPECT_TRUE(stage.act("search", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Spectrum");
    ctx->ItemClick("###find_share");
  }));
  const auto searched = sent<ex::CompressModel>(stage);
  ASSERT_EQ(searched.size(), 1U);
  EXPECT_EQ(searched[0].specs.at(0)["max_rise"], 0.01);
  EXPECT_EQ(searched[0].specs.at(0)["along"], "budget");
  EXPECT_EQ(searched[0].specs.at(0)["budget"], 0);
  Json found = asked[0].specs.at(0);
  found["budget"] = 0.93;
  stage.live().on_event(ex::JobFinished{searched[0].job, {{"run", "found"}, {"spec", found}}});
  stage.frames(3);
  EXPECT_TRUE(stage.act("the slider shows it", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Spectrum");
    ctx->ItemClick("###evaluate_ranks");
  }));
  const auto again = sent<ex::CompressModel>(stage);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].specs.at(0)["budget"], 0.93);
  EXPECT_FALSE(again[0].specs.at(0).contains("max_rise"));
  stage.live().on_event(ex::JobFinished{again[0].job, {{"run", "found"}}});
  stage.frames(3);
  EXPECT_TRUE(stage.act("export", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Spectrum");
    ctx->ItemInputValue("##factored_out", "/tmp/tiny-factored");
    ctx->ItemClick("###export_ranks");
  }));
  const auto exported = sent<ex::CompressModel>(stage);
  ASSERT_EQ(exported.size(), 1U);
  EXPECT_EQ(exported[0].out, "/tmp/tiny-factored");
  EXPECT_EQ(exported[0].specs.at(0), again[0].specs.at(0));
}

TEST(Spectrum, ACellChoosesItsLayer) {
  Stage stage(with_model());
  decompose(stage, 10);
  EXPECT_TRUE(stage.act("click a cell", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Spectrum");
    const auto drawn = [&](const char* layer) {
      return ctx->WindowInfo(layer, ImGuiTestOpFlags_NoError).ID != 0;
    };
    IM_CHECK(drawn("//Spectrum/layers.0.attention.q"));
    IM_CHECK(!drawn("//Spectrum/layers.9.mlp.down"));
    const ImRect map = ctx->ItemInfo("##heat").RectFull;
    ctx->MouseMoveToPos({map.Max.x - 5, map.Max.y - 5});
    ctx->Yield(2);
    ctx->MouseClick(0);
    ctx->Yield(2);
    IM_CHECK(drawn("//Spectrum/layers.9.mlp.down"));
  }));
}

// A frame draws what is known; ranks are chosen on another thread.
TEST(Spectrum, DraggingStaysWithinAFrame) {
  Stage stage(with_model());
  decompose(stage, 80);
  EXPECT_TRUE(stage.act("drag", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Spectrum");
    ctx->ItemDragWithDelta("##value", {-60, 0});
  }));
  EXPECT_LT(stage.bench().build_ms(), 16);
}

TEST(Spectrum, ABudgetThatIsTooSmallSaysSo) {
  Stage stage(with_model());
  decompose(stage, 4);
  EXPECT_TRUE(stage.act("too little", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Spectrum");
    ctx->ComboClick("##multiple/64");
    ctx->ItemInputValue("##value", 0.05f);
    ctx->Yield(3);
  }));
  ASSERT_TRUE(stage.settle([&] { return !stage.bench().animated(); }));
  EXPECT_TRUE(stage.act("no plan, no evaluation", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Spectrum");
    IM_CHECK((ctx->ItemInfo("###evaluate_ranks").ItemFlags & ImGuiItemFlags_Disabled) != 0);
  }));
}

}  // namespace
}  // namespace lathe::ui::testing
