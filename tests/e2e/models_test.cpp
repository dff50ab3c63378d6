// The way of a model through the program: trained, written for others, opened again, tuned on
// instructions, measured, written again, and speaking alike at each station.
#include <gmock/gmock.h>

#include "tests/e2e/lathe_process.h"

namespace lathe::e2e {
namespace {

using ::testing::HasSubstr;

class ModelsTest : public LatheTest {
 protected:
  void SetUp() override {
    const Finished ran = lathe({"run", config("base", {{"train.seq_len", 256}})});
    ASSERT_EQ(ran.code, 0) << ran.err;
    base_run_ = newest_run();
    base_ = (folder() / "base-hf").string();
    written(base_run_, "hf", "f32", base_);
    std::string lines;
    for (int i = 0; i < 40; ++i) {
      lines += Json{{"instruction", "Say it " + std::to_string(i)}, {"output", "#"}}.dump();
      lines += "\n";
    }
    write("samples.jsonl", lines);
  }

  void written(const std::string& model, const std::string& format, const std::string& dtype,
               const std::string& out) {
    const Finished done =
        lathe({"export", model, "--format", format, "--dtype", dtype, "--out", out});
    ASSERT_EQ(done.code, 0) << done.err;
  }
  // What the model goes on with, always its most likely bytes.
  std::vector<int> continuation(const std::string& model, const std::string& prompt) {
    const Finished done = lathe({"generate", model, "--prompt", prompt, "--temperature", "0",
                                 "--max-tokens", "12", "--json"});
    EXPECT_EQ(done.code, 0) << done.err;
    return Json::parse(done.out)["generate"]["ids"].get<std::vector<int>>();
  }
  std::string tune() {
    const std::string spec = config("tuned", {{"model", {{"from", base_}}},
                                              {"data.kind", "instruct"},
                                              {"data.path", (folder() / "samples.jsonl").string()},
                                              {"train.seq_len", 256},
                                              {"train.steps", 30},
                                              {"train.eval_every", 30},
                                              {"optim.lr", 0.01}});
    const Finished ran = lathe({"run", spec});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return newest_run();
  }

  std::string base_run_;
  std::string base_;
};

TEST_F(ModelsTest, ARunAndItsExportsSayTheSame) {
  const std::vector<int> said = continuation(base_run_, "def ");
  EXPECT_EQ(said.size(), 12u);
  EXPECT_EQ(continuation(base_, "def "), said);
  const std::string gguf = (folder() / "base.gguf").string();
  written(base_, "gguf", "f32", gguf);
  EXPECT_EQ(continuation(gguf, "def "), said);
}

TEST_F(ModelsTest, AModelIsTunedMeasuredAndWritten) {
  const std::string run = tune();
  const Json shown = json({"show", run});
  EXPECT_EQ(shown["spec"]["model"]["from"], base_);
  const std::vector<int> answer = continuation(
      run,
      "Below is an instruction that describes a task. Write a response that appropriately "
      "completes the request.\n\n### Instruction:\nSay it 7\n\n### Response:");
  EXPECT_EQ(answer, (std::vector<int>{'#'}));

  write("text.txt", std::string(2000, 'a'));
  const Finished measured =
      lathe({"eval", run, "--task", "ppl", "--data", (folder() / "text.txt").string()});
  EXPECT_EQ(measured.code, 0) << measured.err;

  const std::string gguf = (folder() / "tuned.gguf").string();
  written(run, "gguf", "f32", gguf);
  EXPECT_EQ(continuation(gguf, "abc"), continuation(run, "abc"));
  const Finished replayed = lathe({"replay", run});
  EXPECT_EQ(replayed.code, 0) << replayed.err << replayed.out;
}

TEST_F(ModelsTest, AnAdapterIsTrainedAndBecomesPartOfTheModel) {
  const std::string quantised = (folder() / "base-q8.gguf").string();
  written(base_, "gguf", "q8_0", quantised);
  // Beside weights that lose what it takes, and beside weights as they are stored.
  for (const auto& [base, init] : {std::pair{base_, "pissa"}, std::pair{quantised, "default"}}) {
    SCOPED_TRACE(base);
    const std::string spec = config("adapted", {{"model", {{"from", base}}}});
    const Finished ran = lathe({"run", spec, "lora.rank=4", std::string("lora.init=") + init,
                                "lora.dropout=0.1", "lr=0.01", "train.steps=20"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    const std::string run = newest_run();
    const std::string gguf = (folder() / (std::string(init) + ".gguf")).string();
    written(run, "gguf", "f32", gguf);
    EXPECT_EQ(continuation(gguf, "def "), continuation(run, "def "));
    const std::string adapter = (folder() / (std::string(init) + "-adapter")).string();
    written(run, "peft", "f32", adapter);
    EXPECT_EQ(continuation(adapter, "def "), continuation(run, "def "));
    const Finished replayed = lathe({"replay", run});
    EXPECT_EQ(replayed.code, 0) << replayed.err << replayed.out;
  }
}

TEST_F(ModelsTest, AnAdaptersFolderIsAModel) {
  const Finished ran = lathe({"run", config("adapted", {{"model", {{"from", base_}}}}),
                              "lora.rank=4", "lr=0.01", "train.steps=20"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string adapter = (folder() / "adapter").string();
  written(newest_run(), "peft", "f32", adapter);
  const std::string merged = (folder() / "merged").string();
  written(adapter, "hf", "f32", merged);
  EXPECT_EQ(continuation(merged, "def "), continuation(adapter, "def "));
  write("text.txt", std::string(2000, 'a'));
  EXPECT_EQ(
      lathe({"eval", adapter, "--task", "ppl", "--data", (folder() / "text.txt").string()}).code,
      0);
  // A run goes on from it, and can be had again; an adapter beside an adapter has no file.
  const Finished further = lathe(
      {"run", config("further", {{"model", {{"from", adapter}}}}), "lora.rank=2", "train.steps=4"});
  ASSERT_EQ(further.code, 0) << further.err;
  const std::string run = newest_run();
  const Finished replayed = lathe({"replay", run});
  EXPECT_EQ(replayed.code, 0) << replayed.err << replayed.out;
  const std::string out = (folder() / "none").string();
  const Finished refused = lathe({"export", run, "--format", "peft", "-o", out});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("an adapter"));
  EXPECT_THAT(lathe({"export", base_run_, "--format", "peft", "-o", out}).err,
              HasSubstr("did not begin with a model"));
  EXPECT_THAT(lathe({"export", base_, "--format", "peft", "-o", out}).err,
              HasSubstr("did not begin with a model"));
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(ModelsTest, AModelIsDecomposedMeasuredAndWritten) {
  const std::string out = (folder() / "factored").string();
  const std::vector<std::string> settings{"calibration.samples=8", "calibration.seq_len=64",
                                          "heldout_windows=4", "multiple=1",
                                          "data.path=" + (folder() / "corpus").string()};
  std::vector<std::string> both{"compress", base_, "--json", "budget=0.9,0.6"};
  both.insert(both.end(), settings.begin(), settings.end());
  const Finished swept = lathe(both);
  ASSERT_EQ(swept.code, 0) << swept.err;
  EXPECT_EQ(Json::parse(swept.out.substr(
                swept.out.rfind("{\"event\":\"result\"")))["compress"]["spec"]["budget"],
            0.6);

  std::vector<std::string> one{"compress", base_, "budget=0.6", "--dtype", "f32", "-o", out};
  one.insert(one.end(), settings.begin(), settings.end());
  const Finished written_out = lathe(one);
  ASSERT_EQ(written_out.code, 0) << written_out.err;
  EXPECT_THAT(written_out.out, HasSubstr("rank cut"));
  const Json shown = json({"show", newest_run()});
  EXPECT_EQ(shown["kind"], "compress");
  EXPECT_EQ(shown["spec"]["compress"]["budget"], 0.6);
  EXPECT_EQ(continuation(out, "def ").size(), 12u);

  // Multiplied out it says the same, in a file that knows nothing of factors.
  const std::string gguf = (folder() / "factored.gguf").string();
  written(out, "gguf", "f32", gguf);
  EXPECT_EQ(continuation(gguf, "def "), continuation(out, "def "));

  const Finished again = lathe({"compress", out, "data.path=" + (folder() / "corpus").string()});
  EXPECT_EQ(again.code, 2) << again.err;
  EXPECT_THAT(again.err, HasSubstr("two factors already"));
  EXPECT_EQ(lathe({"replay", newest_run()}).code, 2);

  // Healed against what it was made of, once more to the same bits, and written.
  const Finished healed = lathe({"run", config("healed", {{"model", {{"from", out}}},
                                                          {"distill.from", base_},
                                                          {"train.parts", "factors"}})});
  ASSERT_EQ(healed.code, 0) << healed.err;
  const std::string run = newest_run();
  EXPECT_EQ(json({"show", run})["spec"]["distill"]["from"], base_);
  const Finished replayed = lathe({"replay", run});
  EXPECT_EQ(replayed.code, 0) << replayed.err << replayed.out;
  const std::string kept = (folder() / "healed").string();
  ASSERT_EQ(
      lathe({"export", run, "--format", "hf", "--dtype", "f32", "--keep-factors", "-o", kept}).code,
      0);
  EXPECT_EQ(continuation(kept, "def "), continuation(run, "def "));
}

TEST_F(ModelsTest, AModelIsMadeAsSmallAsItsPerplexityAllows) {
  std::vector<std::string> words{"compress",
                                 base_,
                                 "--json",
                                 "max_rise=0.02",
                                 "calibration.samples=8",
                                 "calibration.seq_len=64",
                                 "heldout_windows=4",
                                 "multiple=1",
                                 "data.path=" + (folder() / "corpus").string()};
  const Finished found = lathe(words);
  ASSERT_EQ(found.code, 0) << found.err;
  const Json outcome =
      Json::parse(found.out.substr(found.out.rfind("{\"event\":\"result\"")))["compress"];
  EXPECT_LE(outcome["metrics"]["compress/ppl_rise"], 0.02);
  EXPECT_GT(outcome["spec"]["budget"], 0);
  EXPECT_LT(outcome["params_after"], outcome["params_before"]);
  EXPECT_EQ(outcome["spec"]["max_rise"], 0) << "what was found is a choice like any";
  const Json step = json({"show", newest_run()})["spec"]["compress"];
  EXPECT_GT(step["budget"], 0) << "and so is every step on the way";
  words.push_back("budget=0.5");
  const Finished both = lathe(words);
  EXPECT_EQ(both.code, 2) << both.err;
  EXPECT_THAT(both.err, HasSubstr("budget is given, and max_rise"));
}

TEST_F(ModelsTest, WhatRoundingWouldLoseIsWhatItLoses) {
  const Json all = json({"inspect", base_, "--quant", "all"});
  EXPECT_GT(all["types"].size(), 20u);
  const Json told = json({"inspect", base_, "--quant", "int4_g32"});
  const Json made = json_lines({"compress", base_, "decompose=false", "quant.type=int",
                                "quant.group=32", "heldout_windows=0"})
                        .back()["compress"]["metrics"];
  EXPECT_EQ(told["plan"]["refused"], 0);
  EXPECT_EQ(told["plan"]["bits"], made["compress/bits"]);
  EXPECT_EQ(told["plan"]["bytes_after"], made["model/stored_bytes"]);
  EXPECT_NEAR(told["plan"]["error_share"].get<double>(), made["compress/round_error"].get<double>(),
              1e-6);
  EXPECT_EQ(told["layers"][0]["positions"].size(), 64u);
  EXPECT_EQ(lathe({"inspect", base_, "--quant", "int4_g64"}).code, 0);
  const Finished none = lathe({"inspect", base_, "--quant", "int9"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.err, HasSubstr("int4_g64"));
}

TEST_F(ModelsTest, InstalledModelsAreListedBeforeTheFirstRun) {
  const std::filesystem::path models = folder() / "data" / "lathe" / "models";
  std::filesystem::create_directories(models);
  std::filesystem::rename(base_, models / "mine");
  const std::string store = (folder() / "none.sqlite").string();
  const Finished listed = lathe({"--store", store, "ls", "models"});
  EXPECT_EQ(listed.code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("mine"));
  EXPECT_EQ(continuation("mine", "def ").size(), 12u);
}

TEST_F(ModelsTest, WhatCannotBeDoneIsSaid) {
  const Finished no_template = lathe({"generate", base_, "--prompt", "a", "--chat"});
  EXPECT_EQ(no_template.code, 8) << no_template.err;
  EXPECT_THAT(no_template.err, HasSubstr("brings no chat template"));
  const Finished none = lathe({"generate", "no-such-model", "--prompt", "a"});
  EXPECT_EQ(none.code, 2) << none.err;
  EXPECT_THAT(none.err, HasSubstr("no-such-model"));
  const Finished other = lathe({"run", config("wide", {{"model.from", base_}, {"model.dim", 64}})});
  EXPECT_EQ(other.code, 2) << other.err;  // the config's own shape is another
  EXPECT_THAT(other.err, HasSubstr("model.from empty"));
}

}  // namespace
}  // namespace lathe::e2e
