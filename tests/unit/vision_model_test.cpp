// A ViT in a folder of Hugging Face's form: its shape and weights are read, what does not fit is
// refused, and a model of text is not made of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/io/model_file.h"
#include "engine/io/safetensors.h"
#include "engine/lm/language_model.h"
#include "engine/lm/model_export.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

using test::ModelFolder;
using ::testing::HasSubstr;

ModelConfig small_vit() {
  return {.dim = 16,
          .layers = 2,
          .heads = 2,
          .ff_dim = 24,
          .vocab_size = 3,
          .norm_eps = 1e-12,
          .norm = NormKind::kLayer,
          .mlp = MlpKind::kGelu,
          .bias = true,
          .positions = PositionKind::kLearned,
          .image = {.size = 8, .channels = 2, .patch_size = 4, .classes = 3}};
}

Json vit_json() {
  return {{"architectures", {"ViTForImageClassification"}},
          {"model_type", "vit"},
          {"hidden_size", 16},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 2},
          {"intermediate_size", 24},
          {"hidden_act", "gelu"},
          {"image_size", 8},
          {"patch_size", 4},
          {"num_channels", 2},
          {"qkv_bias", true},
          {"id2label", {{"0", "a"}, {"1", "b"}, {"2", "c"}}}};
}

// As transformers shapes them: a convolution's weight, batches of one.
void write_weights(const ModelFolder& folder) {
  auto stored =
      test::stored_form(small_vit(), NameScheme::kHfVit, test::random_values(small_vit()));
  stored.at("vit.embeddings.patch_embeddings.projection.weight").shape = {16, 2, 4, 4};
  stored.at("vit.embeddings.cls_token").shape = {1, 1, 16};
  stored.at("vit.embeddings.position_embeddings").shape = {1, 5, 16};
  test::write_safetensors(folder.path() / "model.safetensors", stored);
}

std::string refusal(const ModelFolder& folder, const Json& config) {
  folder.write("config.json", config.dump());
  const auto file = ModelFile::open(folder.path());
  EXPECT_FALSE(file.ok());
  return file.ok() ? "" : file.error().text();
}

TEST(VisionModel, AFolderOfTransformersIsRead) {
  const ModelFolder folder("vit");
  folder.write("config.json", vit_json().dump());
  write_weights(folder);
  const auto file = ModelFile::open(folder.path());
  ASSERT_TRUE(file.ok()) << file.error().text();
  EXPECT_EQ(to_json(file->config()), to_json(small_vit()));
  for (const auto& [name, values] : test::random_values(small_vit())) {
    EXPECT_EQ(file->floats(name), values) << name;
  }
  EXPECT_NE(file->find("class_token.weight"), nullptr);
  EXPECT_NE(file->find("head.bias"), nullptr);
}

TEST(VisionModel, ATransformerTakesAllWeights) {
  const ModelFolder folder("vit_weights");
  folder.write("config.json", vit_json().dump());
  write_weights(folder);
  const auto file = ModelFile::open(folder.path());
  ASSERT_TRUE(file.ok()) << file.error().text();
  const auto backend = std::move(*make_backend("cpu_ref", 1));
  Transformer model(*backend, file->config(), file->plans());
  load_weights(*backend, *file, model);
  ASSERT_EQ(model.parameters().size(), file->tensors().size());
  for (std::size_t i = 0; i < file->tensors().size(); ++i) {
    const Parameter& parameter = *model.parameters()[i];
    EXPECT_EQ(parameter.name, file->tensors()[i].name) << "in the same order";
    const std::vector<float> values = file->floats(parameter.name);
    EXPECT_EQ(std::vector<float>(parameter.weight.ref().f32(),
                                 parameter.weight.ref().f32() + parameter.elements()),
              values);
  }
}

TEST(VisionModel, WhatDoesNotFitIsRefusedByName) {
  const ModelFolder folder("vit_wrong");
  write_weights(folder);
  Json config = vit_json();
  config["hidden_act"] = "relu";
  EXPECT_THAT(refusal(folder, config), HasSubstr("hidden_act"));
  config = vit_json();
  config["patch_size"] = 3;
  EXPECT_THAT(refusal(folder, config), HasSubstr("does not divide"));
  config = vit_json();
  config["image_size"] = 16;
  EXPECT_THAT(refusal(folder, config), HasSubstr("position_embeddings"));
  config = vit_json();
  config["num_channels"] = 3;
  EXPECT_THAT(refusal(folder, config), HasSubstr("projection.weight"));
  config = vit_json();
  config.erase("image_size");
  EXPECT_THAT(refusal(folder, config), HasSubstr("image_size is missing"));
}

TEST(VisionModel, WhatIsWrittenIsReadBack) {
  const ModelFolder folder("vit_written");
  folder.write("config.json", vit_json().dump());
  write_weights(folder);
  const auto file = ModelFile::open(folder.path());
  const auto backend = std::move(*make_backend("cpu_ref", 1));
  ExportRequest request{.format = ModelFormat::kHuggingFace,
                        .type = StoredType::kF32,
                        .out = folder.path() / "out",
                        .name = "small",
                        .record = {{"pixel_mean", {0.5, 0.4}}, {"pixel_std", {0.2, 0.3}}}};
  const auto report = export_model(*backend, *file, file->plans(), request);
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->max_difference, 0);
  EXPECT_EQ(report->max_change, 0);
  const auto again = ModelFile::open(request.out);
  ASSERT_TRUE(again.ok()) << again.error().text();
  EXPECT_EQ(to_json(again->config()), to_json(file->config()));
  EXPECT_EQ(model_hash(*again), model_hash(*file));
  const auto tensors = SafetensorsFile::open(request.out / "model.safetensors");
  EXPECT_EQ(tensors->find("vit.embeddings.patch_embeddings.projection.weight")->shape,
            (std::vector<std::int64_t>{16, 2, 4, 4}));
  EXPECT_EQ(tensors->find("vit.embeddings.cls_token")->shape,
            (std::vector<std::int64_t>{1, 1, 16}));
  EXPECT_EQ(read_json_file((request.out / "preprocessor_config.json").string())->at("image_mean"),
            (Json{0.5, 0.4}));
  request.out = folder.path() / "half";
  request.type = StoredType::kF16;
  const auto rounded = export_model(*backend, *file, file->plans(), request);
  ASSERT_TRUE(rounded.ok()) << rounded.error().text();
  EXPECT_EQ(rounded->max_difference, 0);
  EXPECT_GT(rounded->max_change, 0);
}

// What an export of a model with such slots is refused with.
std::string export_refusal(const ModelConfig& config, const ExportRequest& wanted) {
  const ModelFolder folder("vit_refused");
  const auto backend = std::move(*make_backend("cpu_ref", 1));
  Transformer model(*backend, config, dense_plan(config));
  model.initialise(1);
  std::map<std::string, test::Stored> tensors;
  for (Parameter* parameter : model.parameters()) {
    const float* const values = parameter->weight.ref().f32();
    std::vector<std::int64_t> shape{parameter->shape[0]};
    if (parameter->shape.rank() == 2) {
      shape.push_back(parameter->shape[1]);
    }
    tensors[parameter->name] = {shape, {values, values + parameter->elements()}};
  }
  test::write_safetensors(folder.path() / "weights.safetensors", tensors);
  const auto file = ModelFile::open_checkpoint(folder.path(), config, dense_plan(config));
  EXPECT_TRUE(file.ok()) << file.error().text();
  ExportRequest request = wanted;
  request.out = folder.path() / "out";
  const auto report = export_model(*backend, *file, file->plans(), request);
  EXPECT_FALSE(report.ok());
  return report.ok() ? "" : report.error().text();
}

TEST(VisionModel, WhatFilesCannotHoldIsRefusedByName) {
  const ExportRequest hf{
      .format = ModelFormat::kHuggingFace, .type = StoredType::kF32, .out = "", .name = "small"};
  ModelConfig config = small_vit();
  config.image.pool = ImagePool::kMean;
  config.norm = NormKind::kRms;
  EXPECT_THAT(export_refusal(config, hf),
              AllOf(HasSubstr("model.image.pool=mean"), HasSubstr("model.norm=rms")));
  config = small_vit();
  config.bias = false;
  EXPECT_THAT(export_refusal(config, hf), HasSubstr("model.bias=false"));
  config = small_vit();
  config.mlp = MlpKind::kSwiglu;
  EXPECT_THAT(export_refusal(config, hf), HasSubstr("model.mlp=swiglu"));
  ExportRequest gguf = hf;
  gguf.format = ModelFormat::kGguf;
  EXPECT_THAT(export_refusal(small_vit(), gguf), HasSubstr("use --format hf"));
  ExportRequest kept = hf;
  kept.factors = Factors::kKeep;
  EXPECT_THAT(export_refusal(small_vit(), kept), HasSubstr("--keep-factors"));
}

TEST(VisionModel, NoModelOfTextIsMadeOfIt) {
  const ModelFolder folder("vit_text");
  folder.write("config.json", vit_json().dump());
  write_weights(folder);
  const auto backend = std::move(*make_backend("cpu_ref", 1));
  const auto model = LanguageModel::open(*backend, folder.path(), WeightForm::kFloats);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace lathe
