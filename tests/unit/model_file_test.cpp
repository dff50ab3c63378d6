// Models in files: every format gives the weights that went in, and what does not fit is refused by
// name.
#include "engine/io/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "engine/lm/language_model.h"
#include "engine/lm/model_vocabulary.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

using test::ModelFolder;
using ::testing::HasSubstr;

ModelFolder folder_for_test() {
  return ModelFolder(testing::UnitTest::GetInstance()->current_test_info()->name());
}

void expect_values(const Result<ModelFile>& file, const test::Values& values) {
  ASSERT_TRUE(file.ok()) << file.error().text();
  ASSERT_EQ(file->tensors().size(), values.size());
  for (const auto& [name, wanted] : values) {
    const ModelTensor* tensor = file->find(name);
    ASSERT_NE(tensor, nullptr) << name;
    std::vector<float> got(wanted.size());
    read_tensor(*tensor, got.data());
    EXPECT_EQ(got, wanted) << name;
  }
}

void write_hf(const ModelFolder& folder, const ModelConfig& model, NameScheme scheme,
              const test::Values& values) {
  const Json config =
      scheme == NameScheme::kHfLlama ? test::llama_json(model) : test::gpt2_json(model);
  folder.write("config.json", config.dump());
  test::write_safetensors(folder.path() / "model.safetensors",
                          test::stored_form(model, scheme, values));
}

std::string refusal(const std::filesystem::path& path) {
  const auto file = ModelFile::open(path);
  EXPECT_FALSE(file.ok());
  if (file.ok()) {
    return "";
  }
  EXPECT_EQ(file.error().kind, ErrorKind::kData);
  return file.error().text();
}

TEST(ModelFile, ReadsEveryFormatToTheSameWeights) {
  const ModelFolder folder = folder_for_test();
  const ModelConfig model = test::small_llama();
  const test::Values values = test::distinct_values(model);
  write_hf(folder, model, NameScheme::kHfLlama, values);
  expect_values(ModelFile::open(folder.path()), values);
  test::write_gguf(folder.path() / "m.gguf", model, values);
  const auto gguf = ModelFile::open(folder.path() / "m.gguf");
  expect_values(gguf, values);
  EXPECT_EQ(gguf->config().kv_heads, 2);
  EXPECT_FALSE(gguf->config().tied);
}

TEST(ModelFile, SplitsAndTransposesTheFusedWeightsOfGpt2) {
  for (const NameScheme scheme : {NameScheme::kHfGpt2, NameScheme::kHfBigCode}) {
    const ModelFolder folder = folder_for_test();
    const ModelConfig model = test::small_gpt2(scheme == NameScheme::kHfGpt2 ? 0 : 1);
    if (!config_errors(model).empty()) {
      GTEST_SKIP() << config_errors(model).front();
    }
    const test::Values values = test::distinct_values(model);
    write_hf(folder, model, scheme, values);
    expect_values(ModelFile::open(folder.path()), values);
  }
}

TEST(ModelFile, ReadsShardsAndRefusesNamesThatLeaveTheFolder) {
  const ModelFolder folder = folder_for_test();
  const ModelConfig model = test::small_llama();
  const test::Values values = test::distinct_values(model);
  auto tensors = test::stored_form(model, NameScheme::kHfLlama, values);
  Json map = Json::object();
  std::map<std::string, test::Stored> half;
  while (half.size() < 5) {
    half.insert(tensors.extract(tensors.begin()));
  }
  for (const auto& [name, tensor] : tensors) {
    map[name] = "b.safetensors";
  }
  for (const auto& [name, tensor] : half) {
    map[name] = "a.safetensors";
  }
  test::write_safetensors(folder.path() / "a.safetensors", half);
  test::write_safetensors(folder.path() / "b.safetensors", tensors);
  folder.write("config.json", test::llama_json(model).dump());
  folder.write("model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  expect_values(ModelFile::open(folder.path()), values);
  map["lm_head.weight"] = "../b.safetensors";
  folder.write("model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  EXPECT_THAT(refusal(folder.path()), HasSubstr("not a file name"));
}

TEST(ModelFile, RefusesWhatItWouldComputeWrongly) {
  const ModelFolder folder = folder_for_test();
  const ModelConfig model = test::small_llama();
  write_hf(folder, model, NameScheme::kHfLlama, test::distinct_values(model));
  const auto with = [&](const std::string& key, const Json& value) {
    Json config = test::llama_json(model);
    config[key] = value;
    folder.write("config.json", config.dump());
    return refusal(folder.path());
  };
  EXPECT_THAT(with("architectures", {"Qwen2ForCausalLM"}), HasSubstr("Qwen2ForCausalLM"));
  EXPECT_THAT(with("hidden_act", "gelu"), HasSubstr("hidden_act"));
  EXPECT_THAT(with("attention_bias", true), HasSubstr("attention_bias"));
  EXPECT_THAT(with("rope_scaling", {{"rope_type", "yarn"}}), HasSubstr("yarn"));
  EXPECT_THAT(with("num_attention_heads", 0), HasSubstr("model.heads"));
  EXPECT_THAT(with("num_hidden_layers", -1), HasSubstr("model.layers"));
  EXPECT_THAT(with("num_hidden_layers", 3), HasSubstr("model.layers.2"));
  EXPECT_THAT(with("num_hidden_layers", 1), HasSubstr("model.layers.1"));  // left over
  EXPECT_THAT(with("vocab_size", 41), HasSubstr("[41, 32]"));
  EXPECT_THAT(with("hidden_size", "wide"), HasSubstr("model.dim"));
  EXPECT_THAT(with("hidden_size", 1e300), HasSubstr("model.dim"));
}

TEST(LanguageModel, StoredAndFloatFormsComputeTheSameLogits) {
  const ModelFolder folder = folder_for_test();
  const ModelConfig model = test::small_llama();
  test::write_gguf(folder.path() / "m.gguf", model, test::distinct_values(model));
  const auto backend = make_backend("cpu_ref", 1);
  ASSERT_TRUE(backend.ok());
  std::vector<std::vector<float>> logits;
  for (const WeightForm form : {WeightForm::kAsStored, WeightForm::kFloats}) {
    auto opened = LanguageModel::open(**backend, folder.path() / "m.gguf", form);
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    EXPECT_EQ(opened->identity().format, "gguf f32");
    EXPECT_DOUBLE_EQ(opened->identity().bits_per_weight, 32);
    EXPECT_EQ(opened->identity().hash.size(), 64U);
    KvCache cache(**backend, opened->config(), 8);
    const std::vector<std::int32_t> ids{1, 7, 39};
    Tensor input = workspace(**backend, "test", "ids", Shape{3}, DType::kI32);
    (*backend)->write(input, ids.data(), 12);
    Tensor out = workspace(**backend, "test", "logits", Shape{3, model.vocab_size});
    opened->transformer().infer(input, cache, out);
    logits.emplace_back(static_cast<std::size_t>(3 * model.vocab_size));
    (*backend)->read(out, logits.back().data(), out.ref().bytes());
  }
  EXPECT_EQ(logits[0], logits[1]);
  EXPECT_NE(logits[0][0], 0.0f);
}

// Of a mapped file: the bytes that are in this process's memory.
std::int64_t resident_bytes(const std::filesystem::path& path) {
  std::ifstream maps("/proc/self/smaps");
  std::int64_t bytes = 0;
  bool of_the_file = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream words(line);
    std::string key;
    std::int64_t kilobytes = 0;
    if (words >> key && !key.ends_with(':')) {
      of_the_file = line.ends_with(path.string());
    } else if (of_the_file && key == "Rss:" && words >> kilobytes) {
      bytes += 1024 * kilobytes;
    }
  }
  return bytes;
}

TEST(ModelFile, WeightsThatAreCopiedDoNotStandInMemoryTwice) {
  const ModelFolder folder = folder_for_test();
  ModelConfig model = test::small_llama();
  model.vocab_size = 8192;  // 1 MB each of embedding and head
  const test::Values values = test::distinct_values(model);
  write_hf(folder, model, NameScheme::kHfLlama, values);
  test::write_gguf(folder.path() / "m.gguf", model, values);
  for (const auto& [opened, mapped] : {std::pair("", "model.safetensors"), {"m.gguf", "m.gguf"}}) {
    const std::filesystem::path path = folder.path() / mapped;
    const auto backend = make_backend("cpu", 1);
    const auto file = ModelFile::open(*opened == '\0' ? folder.path() : path);
    ASSERT_TRUE(file.ok()) << file.error().text();
    expect_values(file, values);
    EXPECT_GT(resident_bytes(path), 2'000'000) << mapped;  // reading brought it in
    const auto floats = LanguageModel::open(**backend, *file, WeightForm::kFloats);
    ASSERT_TRUE(floats.ok()) << floats.error().text();
    EXPECT_LT(resident_bytes(path), 500'000) << mapped;
    expect_values(file, values);  // what was let go is read again
  }
}

// Files of a vocabulary alone, without the key that says whether a text begins with bos.
TEST(ModelFile, TheVocabularysKindSaysWhetherTextsBeginWithBos) {
  const ModelFolder folder = folder_for_test();
  const std::filesystem::path path = folder.path() / "vocabulary.gguf";
  for (const auto& [model, pre, expected] :
       {std::tuple("llama", "default", true), std::tuple("gpt2", "llama-bpe", true),
        std::tuple("gpt2", "llama3", true), std::tuple("gpt2", "gpt-2", false)}) {
    GgufWriter writer;
    writer.set_text("tokenizer.ggml.model", model);
    writer.set_text("tokenizer.ggml.pre", pre);
    ASSERT_TRUE(writer.open(path).ok());
    ASSERT_TRUE(writer.commit().ok());
    const auto file = GgufFile::open(path);
    ASSERT_TRUE(file.ok()) << file.error().text();
    EXPECT_EQ(stored_vocabulary(*file, "x").special.add_bos, expected) << pre;
  }
}

}  // namespace
}  // namespace lathe
