// Models and Playground by clicks: open, evaluate, ask two models.
#include <gtest/gtest.h>
#include <imgui.h>
#include <imgui_te_context.h>

#include "experiments/run_spec.h"
#include "tests/ui/stage.h"

namespace lathe::ui::testing {
namespace {

namespace ex = experiments;

// The panel in front, with a model open.
void open_model(Stage& stage, const std::string& model) {
  EXPECT_TRUE(stage.act("open", [&](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_5);
    ctx->Yield(3);
    ctx->ItemInputValue("//Models/##model", model.c_str());
  }));
  const auto opens = sent<ex::OpenModel>(stage);
  ASSERT_EQ(opens.size(), 1U);
  EXPECT_EQ(opens[0].model, model);
  EXPECT_TRUE(stage.bench().live().models->busy());
  stage.live().on_event(ex::ModelOpened{opens[0].job, some_model(model)});
  stage.frames(3);
}

TEST(Models, AModelIsOpenedEvaluatedAndItsResultShown) {
  Stage stage({});
  open_model(stage, "tiny");
  EXPECT_TRUE(stage.act("evaluate", [](ImGuiTestContext* ctx) {
    ctx->ItemInputValue("**/##data", "/data/wiki.txt");
    ctx->ItemClick("**/Evaluate###evaluate_model");
  }));
  const auto asked = sent<ex::EvaluateModel>(stage);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].model, "tiny");
  EXPECT_EQ(asked[0].task, (Json{{"task", "ppl"}, {"data", "/data/wiki.txt"}}));
  stage.live().on_event(
      ex::JobStarted{asked[0].job, ex::JobKind::kEvaluate, "tiny", "ppl on wiki.txt"});
  stage.live().on_event(ex::JobProgress{asked[0].job, 0.4, "window 4 of 10"});
  stage.frames(3);
  EXPECT_TRUE(
      stage.act("cancel is offered", [](ImGuiTestContext* ctx) { ctx->ItemClick("**/Cancel"); }));
  EXPECT_EQ(sent<ex::CancelJob>(stage).size(), 1U);
  stage.live().on_event(ex::JobFinished{asked[0].job, {{"perplexity", 19.653}}});
  stage.frames(3);
  const LiveJob* job = stage.bench().live().models->find_job(asked[0].job);
  ASSERT_NE(job, nullptr);
  EXPECT_EQ(job->state, JobState::kDone);
}

TEST(Models, AModelIsTuned) {
  Stage stage({});
  open_model(stage, "tiny");
  EXPECT_TRUE(stage.act("tune", [](ImGuiTestContext* ctx) {
    ctx->ItemClick("**/Evaluate");  // closes its section, for room
    ctx->ItemClick("**/Fine-tune");
    ctx->ItemInputValue("**/##tune_data", "/data/alpaca.json");
    ctx->ItemInputValue("**/##steps", 40);
    ctx->ItemClick("**/Fine-tune###fine_tune_model");
  }));
  const auto runs = sent<ex::StartRun>(stage);
  ASSERT_EQ(runs.size(), 1U);
  const auto spec = ex::run_spec_from_json(runs[0].spec);
  ASSERT_TRUE(spec.ok()) << spec.error().text();
  EXPECT_EQ(spec->train.model.from, "/models/tiny.gguf");
  EXPECT_EQ(spec->train.data.kind, DataKind::kInstruct);
  EXPECT_EQ(spec->train.data.path, "/data/alpaca.json");
  EXPECT_EQ(spec->train.train.steps, 40);
  EXPECT_EQ(spec->train.train.eval_every, 10);
  EXPECT_EQ(spec->train.optim.lr, 2e-5);

  EXPECT_TRUE(stage.act("edit it", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_5);
    ctx->Yield(3);
    ctx->ItemClick("**/Open in Setup");
  }));
  EXPECT_EQ(stage.bench().draft().value("model.from"), "/models/tiny.gguf");
  EXPECT_EQ(stage.bench().draft().value("train.steps"), 40);
}

TEST(Models, AModelIsExportedWithItsProgress) {
  Stage stage({});
  open_model(stage, "tiny");
  EXPECT_TRUE(stage.act("export", [](ImGuiTestContext* ctx) {
    ctx->ItemClick("**/Evaluate");
    ctx->ItemClick("**/Export");
    ctx->SetRef(ctx->WindowInfo("//Models/model").ID);
    ctx->ComboClick("##export_type/GGUF, Q8_0");
    ctx->SetRef("");
    ctx->ItemInputValue("**/##export_out", "/tmp/tiny.q8_0.gguf");
    ctx->ItemClick("**/Export###export_model");
  }));
  const auto asked = sent<ex::ExportModel>(stage);
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].model, "tiny");
  EXPECT_EQ(asked[0].format, "gguf");
  EXPECT_EQ(asked[0].dtype, "q8_0");
  EXPECT_EQ(asked[0].out, "/tmp/tiny.q8_0.gguf");
  stage.live().on_event(
      ex::JobStarted{asked[0].job, ex::JobKind::kExport, "tiny", "gguf q8_0 to tiny.q8_0.gguf"});
  stage.live().on_event(ex::JobProgress{asked[0].job, 0.7, "comparing logits"});
  stage.frames(3);
  EXPECT_TRUE(
      stage.act("cancel is offered", [](ImGuiTestContext* ctx) { ctx->ItemClick("**/Cancel"); }));
  EXPECT_EQ(sent<ex::CancelJob>(stage).size(), 1U);
}

TEST(Models, AModelThatCannotBeOpenedSaysWhy) {
  Stage stage({});
  EXPECT_TRUE(stage.act("open", [&](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_5);
    ctx->Yield(3);
    ctx->ItemInputValue("//Models/##model", "/nowhere.gguf");
  }));
  const auto opens = sent<ex::OpenModel>(stage);
  ASSERT_EQ(opens.size(), 1U);
  stage.live().on_event(ex::JobFailed{
      opens[0].job, {ErrorKind::kData, "there is no file /nowhere.gguf", "name one"}, false});
  stage.frames(3);
  EXPECT_EQ(stage.bench().live().models->models.size(), 0U);
  EXPECT_EQ(stage.bench().live().models->latest("/nowhere.gguf", JobKind::kOpen)->state,
            JobState::kFailed);
  ASSERT_EQ(stage.bench().live().problems->size(), 1U);
  EXPECT_EQ(stage.bench().live().problems->front().entry.text,
            "there is no file /nowhere.gguf; name one");
}

TEST(Playground, OnePromptGoesToBothModelsAndTheirTextComesInPieces) {
  UiState state;
  state.recent_models = {"tiny", "other"};
  state.playground = {"tiny", "other"};
  Stage stage({.state = state});
  EXPECT_TRUE(stage.act("ask", [](ImGuiTestContext* ctx) {
    ctx->KeyPress(ImGuiKey_6);
    ctx->Yield(3);
    ctx->ItemClick("//Playground/##prompt");
    ctx->KeyChars("Why is the sky blue?");
    ctx->ItemClick("//Playground/###ask");
  }));
  const auto asked = sent<ex::Generate>(stage);
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].model, "tiny");
  EXPECT_EQ(asked[1].model, "other");
  EXPECT_EQ(asked[0].prompt, "Why is the sky blue?");
  EXPECT_EQ(asked[0].sampling["max_tokens"], 128);
  EXPECT_TRUE(asked[0].chat);
  for (const ex::Generate& one : asked) {
    stage.live().on_event(ex::JobStarted{one.job, ex::JobKind::kGenerate, one.model, "answering"});
    stage.live().on_event(ex::TextPiece{one.job, "Because "});
    stage.live().on_event(ex::TextPiece{one.job, "of air."});
  }
  stage.frames(3);
  EXPECT_EQ(stage.bench().live().models->find_job(asked[1].job)->text, "Because of air.");
  EXPECT_TRUE(stage.act(
      "stop", [](ImGuiTestContext* ctx) { ctx->ItemClick("//Playground/###stop_asking"); }));
  EXPECT_EQ(sent<ex::CancelJob>(stage).size(), 2U);
}

}  // namespace
}  // namespace lathe::ui::testing
