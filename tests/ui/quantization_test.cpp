// Quantization by clicks: look, choose a type, look at a layer, evaluate, sweep, export.
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
    ctx->KeyPress(ImGuiKey_8);
    ctx->Yield(3);
  }));
}

void look(Stage& stage, std::int64_t blocks) {
  bring_to_front(stage);
  stage.live().on_event(ex::QuantProbed{"look", some_probe("tiny", blocks)});
  stage.frames(3);
}

// Attention has rows of 64, which are whole groups of 64.
void choose_attention(ImGuiTestContext* ctx) {
  ctx->SetRef("//Quantization");
  ctx->ComboClick("##quant_target/attention");
  ctx->Yield(2);
}

TEST(Quantization, WithoutAModelItLeadsToModels) {
  Stage stage({});
  EXPECT_TRUE(stage.act("open a model", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_8);
    ctx->Yield(3);
    ctx->ItemClick("//Quantization/###to_models");
    ctx->Yield(3);
    IM_CHECK(ctx->ItemInfo("//Models/##model", ImGuiTestOpFlags_NoError).ID != 0);
  }));
}

TEST(Quantization, ALookIsAskedForWatchedAndCancelled) {
  Stage stage(with_model());
  bring_to_front(stage);
  EXPECT_TRUE(stage.act(
      "look", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Quantization/###probe_quant"); }));
  const auto asked = sent<ex::ProbeQuant>(stage);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].model, "tiny");
  stage.live().on_event(
      ex::JobStarted{asked[0].job, ex::JobKind::kProbeQuant, "tiny", "rounding tiny"});
  stage.live().on_event(ex::JobProgress{asked[0].job, 0.4, "rounding layers.3.mlp.up.weight"});
  stage.frames(3);
  EXPECT_TRUE(stage.act("cancel", [](ImGuiTestContext* ctx) { ctx->ItemClick("**/Cancel"); }));
  EXPECT_EQ(sent<ex::CancelJob>(stage).size(), 1U);
  stage.live().on_event(
      ex::JobFailed{asked[0].job, {ErrorKind::kInterrupted, "stopped", ""}, true});
  stage.frames(3);
  EXPECT_TRUE(stage.act(
      "again", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Quantization/###probe_quant"); }));
  EXPECT_EQ(sent<ex::ProbeQuant>(stage).size(), 1U);
}

TEST(Quantization, ATypeIsChosenMeasuredShownAndWritten) {
  Stage stage(with_model());
  look(stage, 10);
  EXPECT_TRUE(stage.act("choose and evaluate", [](ImGuiTestContext* ctx) {
    choose_attention(ctx);
    ctx->ItemInputValue("##bits", 3);
    ctx->ItemClick("###evaluate_quant");
  }));
  const auto asked = sent<ex::CompressModel>(stage);
  ASSERT_EQ(asked.size(), 1U);
  ASSERT_EQ(asked[0].specs.size(), 1U);
  const Json choice = asked[0].specs[0];
  EXPECT_EQ(choice["quant"]["type"], "int");
  EXPECT_EQ(choice["quant"]["bits"], 3);
  EXPECT_EQ(choice["quant"]["group"], 64);
  EXPECT_EQ(choice["target"], "attention");
  EXPECT_EQ(asked[0].out, "");
  ex::RunCreated created;
  created.run = "measured";
  created.name = some_model("tiny").name + " int3_g64 nearest";
  created.kind = "compress";
  created.spec = {{"compress", choice}};
  stage.live().on_event(created);
  stage.live().on_event(ex::MetricBatch{"measured",
                                        {{"eval/ppl", 1, 21.0},
                                         {"compress/ppl_rise", 1, 0.05},
                                         {"compress/bits", 1, 3.5},
                                         {"compress/round_error", 1, 0.02}}});
  stage.live().on_event(ex::RunFinished{"measured", ex::RunState::kDone, 1});
  stage.live().on_event(ex::JobFinished{asked[0].job, {{"run", "measured"}}});
  stage.frames(3);
  EXPECT_NE(quant_measurement_of(stage.bench().rows(), some_model("tiny").name, choice), nullptr);
  EXPECT_EQ(measured_quant(stage.bench().rows(), some_model("tiny").name).points.size(), 1U);
  EXPECT_TRUE(stage.act("export", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Quantization");
    ctx->ItemInputValue("##quant_out", "/tmp/tiny-int3");
    ctx->ItemClick("###export_quant");
  }));
  const auto exported = sent<ex::CompressModel>(stage);
  ASSERT_EQ(exported.size(), 1U);
  EXPECT_EQ(exported[0].out, "/tmp/tiny-int3");
  EXPECT_EQ(exported[0].specs, std::vector<Json>{choice});
}

TEST(Quantization, SeveralAreMeasuredAtOnce) {
  Stage stage(with_model());
  look(stage, 4);
  EXPECT_TRUE(stage.act("a list", [](ImGuiTestContext* ctx) {
    choose_attention(ctx);
    ctx->ItemClick("###sweep_quant");
    ctx->Yield(2);
    ctx->SetRef("//$FOCUSED");
    ctx->ItemInputValue("##list_from", 3);
    ctx->ItemInputValue("##list_to", 4);
    ctx->ItemCheck("groups of 32");
    ctx->ItemClick("###start_list");
  }));
  const auto asked = sent<ex::CompressModel>(stage);
  ASSERT_EQ(asked.size(), 1U);
  ASSERT_EQ(asked[0].specs.size(), 5U) << "NF4, and two numbers of bits in two groups";
  EXPECT_EQ(asked[0].specs[0]["quant"]["type"], "nf4");
  EXPECT_EQ(asked[0].specs[4]["quant"]["bits"], 4);
  EXPECT_EQ(asked[0].specs[4]["quant"]["group"], 64);
  EXPECT_EQ(asked[0].out, "");
}

TEST(Quantization, LayersThatDoNotFitAreNamedAndNothingIsMeasured) {
  Stage stage(with_model());
  look(stage, 4);
  const auto disabled = [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Quantization");
    return (ctx->ItemInfo("###evaluate_quant").ItemFlags & ImGuiItemFlags_Disabled) != 0;
  };
  EXPECT_TRUE(stage.act("rows of 96", [&](ImGuiTestContext* ctx) {
    IM_CHECK(disabled(ctx));
    choose_attention(ctx);
    IM_CHECK(!disabled(ctx));
  }));
}

TEST(Quantization, ACellChoosesItsLayer) {
  Stage stage(with_model());
  look(stage, 10);
  EXPECT_TRUE(stage.act("click a cell", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Quantization");
    const auto drawn = [&](const char* layer) {
      return ctx->WindowInfo(layer, ImGuiTestOpFlags_NoError).ID != 0;
    };
    IM_CHECK(drawn("//Quantization/layers.0.attention.q"));
    IM_CHECK(!drawn("//Quantization/layers.9.mlp.down"));
    const ImRect map = ctx->ItemInfo("##heat").RectFull;
    ctx->MouseMoveToPos({map.Max.x - 5, map.Max.y - 5});
    ctx->Yield(2);
    ctx->MouseClick(0);
    ctx->Yield(2);
    IM_CHECK(drawn("//Quantization/layers.9.mlp.down"));
  }));
}

// A frame draws what is known: nothing is rounded while a slider moves.
TEST(Quantization, DraggingStaysWithinAFrame) {
  Stage stage(with_model());
  look(stage, 80);
  EXPECT_TRUE(stage.act("drag", [](ImGuiTestContext* ctx) {
    ctx->SetRef("//Quantization");
    ctx->ItemDragWithDelta("##bits", {-60, 0});
  }));
  EXPECT_LT(stage.bench().build_ms(), 16);
}

}  // namespace
}  // namespace lathe::ui::testing
