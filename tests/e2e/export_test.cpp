// Exports through the program: a run goes out for other programs and comes in again as a model.
#include <gmock/gmock.h>

#include "engine/io/safetensors.h"
#include "tests/e2e/lathe_process.h"

namespace lathe::e2e {
namespace {

using ::testing::HasSubstr;

class ExportTest : public LatheTest {
 protected:
  void SetUp() override {
    const Finished ran = lathe({"run", config("model", {{"train.checkpoint_every", 12}})});
    ASSERT_EQ(ran.code, 0) << ran.err;
    run_ = newest_run();
    write("rows.jsonl", "{\"ids\": [1, 2, 3]}\n{\"text\": \"a b\"}\n");
  }
  std::string path(const std::string& name) const { return (folder() / name).string(); }

  // The logits that the program gives of rows.jsonl.
  std::vector<float> logits(const std::string& model) {
    const std::string out = path("logits.safetensors");
    const Finished done =
        lathe({"export", model, "--format", "logits", "--data", path("rows.jsonl"), "-o", out});
    EXPECT_EQ(done.code, 0) << done.err;
    const auto file = SafetensorsFile::open(out);
    EXPECT_TRUE(file.ok());
    std::vector<float> all;
    for (const char* name : {"logits.0", "logits.1"}) {
      const auto bytes = file->bytes(*file->find(name));
      const auto* values = reinterpret_cast<const float*>(bytes.data());
      all.insert(all.end(), values, values + bytes.size() / sizeof(float));
    }
    return all;
  }

  std::string run_;
};

TEST_F(ExportTest, ARunIsTheSameModelInEveryFormat) {
  const std::vector<float> own = logits(run_);
  ASSERT_FALSE(own.empty());
  for (const auto& [format, out] :
       {std::pair<std::string, std::string>{"hf", "folder"}, {"gguf", "model.gguf"}}) {
    const Json report =
        json({"export", run_, "--format", format, "--dtype", "f32", "-o", path(out)});
    EXPECT_EQ(report["max_difference"], 0) << report;
    EXPECT_THAT(report["tokenizer"].get<std::string>(), HasSubstr("written anew"));
    EXPECT_THAT(logits(path(out)), ::testing::Pointwise(::testing::FloatNear(1e-5f), own));
  }
  const std::string checkpoint =
      json({"show", run_})["checkpoints"].back()["path"].get<std::string>();
  EXPECT_EQ(lathe({"export", checkpoint, "--format", "gguf", "-o", path("again.gguf")}).code, 0);
}

TEST_F(ExportTest, WhatIsWrongIsNamed) {
  const auto refused = [&](std::vector<std::string> words) {
    words.insert(words.begin(), "export");
    const Finished done = lathe(words);
    EXPECT_NE(done.code, 0);
    return done.err;
  };
  const std::string out = path("out");
  EXPECT_THAT(refused({"nothing", "--format", "gguf", "-o", out}), HasSubstr("nothing"));
  EXPECT_THAT(refused({run_, "--format", "hf", "--dtype", "q8_0", "-o", out}), HasSubstr("q8_0"));
  EXPECT_THAT(refused({run_, "--format", "logits", "-o", out}), HasSubstr("--data"));
  write("bad.jsonl", "{\"ids\": [1, 99999999]}\n");
  EXPECT_THAT(refused({run_, "--format", "logits", "--data", path("bad.jsonl"), "-o", out}),
              HasSubstr("bad.jsonl:1"));
  write("out", "here already");
  EXPECT_THAT(refused({run_, "--format", "gguf", "-o", out}), HasSubstr("exists already"));
}

}  // namespace
}  // namespace lathe::e2e
