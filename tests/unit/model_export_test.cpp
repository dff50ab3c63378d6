// Exports: what is written opens again as the model it was, and what cannot be held is refused.
#include "engine/lm/model_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "engine/lm/language_model.h"
#include "engine/tokenizer/tokenizer.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

using test::ModelFolder;

class ModelExport : public testing::Test {
 protected:
  ModelExport()
      : folder_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        backend_(std::move(*make_backend("cpu_ref", 1))) {
    test::write_gguf(folder_.path() / "m.gguf", model_, test::distinct_values(model_));
  }
  Result<ExportReport> write(ModelFormat format, StoredType type, const std::string& out) {
    const auto source = ModelFile::open(folder_.path() / "m.gguf");
    CHECK(source.ok(), "the test's own file");
    return export_model(
        *backend_, *source, dense_plan(source->config()),
        {.format = format, .type = type, .out = folder_.path() / out, .name = "small"});
  }

  ModelConfig model_ = test::small_llama();
  ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(ModelExport, FloatsComeBackBitForBitInBothFormats) {
  for (const ModelFormat format : {ModelFormat::kGguf, ModelFormat::kHuggingFace}) {
    const std::string out(model_format_name(format));
    const auto report = write(format, StoredType::kF32, out);
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->max_difference, 0);
    EXPECT_EQ(report->max_change, 0);
    EXPECT_EQ(report->argmax_agreement, 1);
    const auto file = ModelFile::open(folder_.path() / out);
    ASSERT_TRUE(file.ok()) << file.error().text();
    EXPECT_EQ(file->format(), format);
    for (const auto& [name, wanted] : test::distinct_values(model_)) {
      std::vector<float> got(wanted.size());
      read_tensor(*file->find(name), got.data());
      EXPECT_EQ(got, wanted) << name;
    }
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / (out + ".partial")));
  }
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "hf" / "README.md"));
}

TEST_F(ModelExport, EveryTypeIsReadBackAsItWasRounded) {
  double former = 0;
  for (const StoredType type : {StoredType::kF16, StoredType::kQ8_0, StoredType::kQ4_1}) {
    const auto report = write(ModelFormat::kGguf, type, std::string(info_of(type).name));
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->max_difference, 0);
    EXPECT_GT(report->max_change, former);  // fewer bits cost more
    former = report->max_change;
    EXPECT_TRUE(report->fallbacks.empty());
  }
  const auto q6 = write(ModelFormat::kGguf, StoredType::kQ6_K, "q6");
  ASSERT_TRUE(q6.ok()) << q6.error().text();
  ASSERT_FALSE(q6->fallbacks.empty());
  EXPECT_THAT(q6->fallbacks.front(), testing::HasSubstr("q8_0, its rows of 32"));
}

TEST_F(ModelExport, MergesFactorsAndSaysSo) {
  std::vector<LinearPlan> plans = dense_plan(model_);
  plans[0].storage = LinearStorage::kLowRank;
  plans[0].rank = 4;
  Transformer factored(*backend_, model_, plans);
  factored.initialise(7);
  std::map<std::string, test::Stored> tensors;
  for (const Parameter* parameter : factored.parameters()) {
    test::Stored& stored = tensors[parameter->name];
    for (int axis = 0; axis < parameter->weight.shape().rank(); ++axis) {
      stored.shape.push_back(parameter->weight.shape()[axis]);
    }
    stored.values.resize(static_cast<std::size_t>(parameter->elements()));
    backend_->read(parameter->weight, stored.values.data(), parameter->weight.ref().bytes());
  }
  test::write_safetensors(folder_.path() / "weights.safetensors", tensors);
  const auto source = ModelFile::open_checkpoint(folder_.path(), model_, plans);
  ASSERT_TRUE(source.ok()) << source.error().text();
  const auto report = export_model(*backend_, *source, plans,
                                   {.format = ModelFormat::kHuggingFace,
                                    .type = StoredType::kF32,
                                    .out = folder_.path() / "hf",
                                    .name = "factored"});
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->merged_slots, std::vector<std::string>{"layers.0.attention.q.weight"});
  EXPECT_LT(report->max_change, 1e-5);
}

TEST_F(ModelExport, RefusesWhatAFormatCannotHold) {
  const auto report = write(ModelFormat::kHuggingFace, StoredType::kQ8_0, "hf");
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().kind, ErrorKind::kUsage);
  EXPECT_FALSE(write(ModelFormat::kGguf, StoredType::kF32, "m.gguf").ok());  // exists
}

// A folder of transformers with the distinct values of a GPT-2 or GPT-BigCode.
std::filesystem::path write_gpt2(const ModelFolder& folder, const ModelConfig& model) {
  const bool big_code = model.kv_heads == 1;
  const NameScheme scheme = big_code ? NameScheme::kHfBigCode : NameScheme::kHfGpt2;
  test::write_safetensors(folder.path() / "model.safetensors",
                          test::stored_form(model, scheme, test::distinct_values(model)));
  folder.write("config.json", test::gpt2_json(model).dump());
  return folder.path();
}

TEST_F(ModelExport, GptShapesComeBackBitForBitInBothFormats) {
  for (const std::int64_t kv_heads : {0, 1}) {
    const ModelConfig model = test::small_gpt2(kv_heads);
    const ModelFolder from("gpt" + std::to_string(kv_heads));
    const auto source = ModelFile::open(write_gpt2(from, model));
    ASSERT_TRUE(source.ok()) << source.error().text();
    for (const ModelFormat format : {ModelFormat::kGguf, ModelFormat::kHuggingFace}) {
      const std::filesystem::path out = from.path() / std::string(model_format_name(format));
      const auto report =
          export_model(*backend_, *source, dense_plan(model),
                       {.format = format, .type = StoredType::kF32, .out = out, .name = "gpt"});
      ASSERT_TRUE(report.ok()) << report.error().text();
      EXPECT_EQ(report->max_change, 0);
      const auto file = ModelFile::open(out);
      ASSERT_TRUE(file.ok()) << file.error().text();
      EXPECT_EQ(file->config().kv_head_count(), model.kv_head_count());
      for (const auto& [name, wanted] : test::distinct_values(model)) {
        std::vector<float> got(wanted.size());
        read_tensor(*file->find(name), got.data());
        EXPECT_EQ(got, wanted) << name;
      }
    }
  }
}

// A checkpoint of ours with random weights.
class CheckpointExport : public ModelExport {
 protected:
  Result<ExportReport> write_checkpoint(const ModelConfig& model, const ExportRequest& request) {
    const std::vector<LinearPlan> plans = dense_plan(model);
    Transformer transformer(*backend_, model, plans);
    transformer.initialise(7);
    std::map<std::string, test::Stored> tensors;
    for (const Parameter* parameter : transformer.parameters()) {
      test::Stored& stored = tensors[parameter->name];
      for (int axis = 0; axis < parameter->weight.shape().rank(); ++axis) {
        stored.shape.push_back(parameter->weight.shape()[axis]);
      }
      stored.values.resize(static_cast<std::size_t>(parameter->elements()));
      backend_->read(parameter->weight, stored.values.data(), parameter->weight.ref().bytes());
    }
    test::write_safetensors(folder_.path() / "weights.safetensors", tensors);
    const auto source = ModelFile::open_checkpoint(folder_.path(), model, plans);
    CHECK(source.ok(), "the test's own checkpoint");
    return export_model(*backend_, *source, plans, request);
  }
};

TEST_F(CheckpointExport, InterleavedPairsBecomeWhatTheFormatsHave) {
  model_.rope_pairs = RopePairs::kInterleaved;
  for (const ModelFormat format : {ModelFormat::kGguf, ModelFormat::kHuggingFace}) {
    const auto report =
        write_checkpoint(model_, {.format = format,
                                  .type = StoredType::kF32,
                                  .out = folder_.path() / std::string(model_format_name(format)),
                                  .name = "pairs"});
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_LT(report->max_change, 1e-5);
  }
}

TEST_F(CheckpointExport, BringsTheTokenizerOfItsCorpusAndItsRecord) {
  const Tokenizer corpus = *Tokenizer::bpe({{'t', 'h'}, {257, 'e'}, {' ', 258}}, 264);
  model_.vocab_size = 264;
  std::vector<std::int32_t> expected;
  const std::string text = "the \n\xC3\xA4 breathe";
  Encoder(corpus).encode(text, expected);
  ExportRequest request{.type = StoredType::kF32,
                        .out = {},
                        .name = "own",
                        .corpus_tokenizer = &corpus,
                        .record = {{"run", "r1"}, {"metrics", {{"eval/loss", 1.5}}}}};
  for (const ModelFormat format : {ModelFormat::kGguf, ModelFormat::kHuggingFace}) {
    request.format = format;
    request.out = folder_.path() / std::string(model_format_name(format));
    const auto report = write_checkpoint(model_, request);
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_THAT(report->tokenizer, testing::HasSubstr("written anew"));
    const auto back = LanguageModel::open(*backend_, request.out, WeightForm::kFloats);
    ASSERT_TRUE(back.ok()) << back.error().text();
    ASSERT_NE(back->tokenizer(), nullptr) << back->tokenizer_problem();
    EXPECT_EQ(back->tokenizer()->encode(text), expected);
    EXPECT_EQ(back->tokenizer()->decode(expected), text);
    EXPECT_EQ(back->tokenizer()->special().eos, kEndMark);
  }
  std::ifstream card(folder_.path() / "hf" / "README.md");
  const std::string words{std::istreambuf_iterator<char>(card), {}};
  EXPECT_THAT(words, testing::HasSubstr("| eval/loss | 1.5 |"));
}

TEST_F(CheckpointExport, SaysWhyThereIsNoTokenizer) {
  const auto report = write_checkpoint(
      model_, {.out = folder_.path() / "out.gguf", .name = "mute", .text_problem = "it was lost"});
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_THAT(report->tokenizer, testing::HasSubstr("none (it was lost)"));
}

TEST_F(CheckpointExport, NothingIsLeftWhereItIsStopped) {
  for (const double until : {0.2, 0.5, 0.8}) {
    const auto report = write_checkpoint(
        model_, {.out = folder_.path() / "out.gguf",
                 .name = "stopped",
                 .progress = [&](double share, const std::string&) { return share < until; }});
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().kind, ErrorKind::kInterrupted);
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "out.gguf"));
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "out.gguf.partial"));
  }
}

}  // namespace
}  // namespace lathe
