// Models with slots of two factors in files: written, read back, multiplied out, refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "engine/lm/language_model.h"
#include "engine/lm/model_export.h"
#include "tests/support/factored_slot.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

using test::factored;
using test::ModelFolder;

class FactoredModel : public testing::Test {
 protected:
  FactoredModel()
      : folder_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        backend_(std::move(*make_backend("cpu_ref", 1))) {}

  ModelFile base() {
    test::write_gguf(folder_.path() / "m.gguf", model_, test::distinct_values(model_));
    return *ModelFile::open(folder_.path() / "m.gguf");
  }
  ModelFile gpt2() {
    const ModelConfig model = test::small_gpt2(0);
    test::write_safetensors(
        folder_.path() / "model.safetensors",
        test::stored_form(model, NameScheme::kHfGpt2, test::distinct_values(model)));
    folder_.write("config.json", test::gpt2_json(model).dump());
    return *ModelFile::open(folder_.path());
  }
  Result<ExportReport> write(const ModelFile& file, ModelFormat format, Factors factors,
                             const std::string& out) {
    return export_model(*backend_, file, file.plans(),
                        {.format = format,
                         .type = StoredType::kF32,
                         .factors = factors,
                         .out = folder_.path() / out,
                         .name = "factored"});
  }

  ModelConfig model_ = test::small_llama();
  ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
};

TEST_F(FactoredModel, KeepsItsFactorsInAFolder) {
  const ModelFile dense = base();
  const std::string q = "layers.0.attention.q";
  const std::string down = "layers.1.mlp.down";
  const ModelFile file = ModelFile::with_factors(
      dense, {factored(dense, q, 3, false), factored(dense, down, 5, true)});
  EXPECT_EQ(file.parameters(),
            dense.parameters() - 32 * 32 - 64 * 32 + 3 * (32 + 32) + 5 * (64 + 32) + 32);
  const auto report = write(file, ModelFormat::kHuggingFace, Factors::kKeep, "kept");
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->max_change, 0);
  EXPECT_TRUE(report->merged_slots.empty());
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "kept" / "modeling_lathe.py"));
  const auto back = ModelFile::open(folder_.path() / "kept");
  ASSERT_TRUE(back.ok()) << back.error().text();
  EXPECT_EQ(back->parameters(), file.parameters());
  ASSERT_EQ(back->tensors().size(), file.tensors().size());
  for (const ModelTensor& tensor : file.tensors()) {
    ASSERT_NE(back->find(tensor.name), nullptr) << tensor.name;
    std::vector<float> wanted(static_cast<std::size_t>(tensor.elements()));
    std::vector<float> got(wanted.size());
    read_tensor(tensor, wanted.data());
    read_tensor(*back->find(tensor.name), got.data());
    EXPECT_EQ(got, wanted) << tensor.name;
  }
}

TEST_F(FactoredModel, ComputesFromHalfPrecisionFactorsAsTheyAreStored) {
  const ModelFile dense = base();
  const ModelFile file =
      ModelFile::with_factors(dense, {factored(dense, "layers.0.mlp.up", 6, true)});
  const auto report = export_model(*backend_, file, file.plans(),
                                   {.format = ModelFormat::kHuggingFace,
                                    .type = StoredType::kBf16,
                                    .factors = Factors::kKeep,
                                    .out = folder_.path() / "half",
                                    .name = "half"});
  ASSERT_TRUE(report.ok()) << report.error().text();
  const auto stored =
      LanguageModel::open(*backend_, folder_.path() / "half", WeightForm::kAsStored);
  ASSERT_TRUE(stored.ok()) << stored.error().text();
  const auto plans = stored_plan(stored->file());
  EXPECT_TRUE(plans[5].given);
  EXPECT_EQ(plans[5].rank, 6);
}

TEST_F(FactoredModel, MultipliesOutWithItsBiases) {
  const ModelFile dense = base();
  const ModelFile file =
      ModelFile::with_factors(dense, {factored(dense, "layers.0.attention.k", 4, true),
                                      factored(dense, "layers.1.mlp.gate", 7, true)});
  for (const ModelFormat format : {ModelFormat::kGguf, ModelFormat::kHuggingFace}) {
    const std::string out(model_format_name(format));
    const auto report = write(file, format, Factors::kMultiplyOut, out);
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_EQ(report->merged_slots.size(), 2u);
    EXPECT_LT(report->max_change, 1e-4);
    const auto back = ModelFile::open(folder_.path() / out);
    ASSERT_TRUE(back.ok()) << back.error().text();
    EXPECT_TRUE(back->config().bias);
  }
}

TEST_F(FactoredModel, OfGpt2KeepsWhatStandsAlone) {
  const ModelFile dense = gpt2();
  const ModelFile mlp =
      ModelFile::with_factors(dense, {factored(dense, "layers.0.mlp.up", 6, true),
                                      factored(dense, "layers.1.attention.o", 6, true)});
  const auto report = write(mlp, ModelFormat::kHuggingFace, Factors::kKeep, "kept");
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(report->max_change, 0);
  const ModelFile query =
      ModelFile::with_factors(dense, {factored(dense, "layers.0.attention.q", 6, true)});
  const auto refused = write(query, ModelFormat::kHuggingFace, Factors::kKeep, "refused");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, testing::HasSubstr("layers.0.attention.q"));
  EXPECT_TRUE(write(query, ModelFormat::kHuggingFace, Factors::kMultiplyOut, "merged").ok());
  EXPECT_FALSE(write(mlp, ModelFormat::kGguf, Factors::kKeep, "m2.gguf").ok());
}

TEST_F(FactoredModel, RefusesSlotsThatCannotBe) {
  const ModelFile dense = base();
  const ModelFile file =
      ModelFile::with_factors(dense, {factored(dense, "layers.0.mlp.up", 6, true)});
  ASSERT_TRUE(write(file, ModelFormat::kHuggingFace, Factors::kKeep, "kept").ok());
  const std::filesystem::path config = folder_.path() / "kept" / "config.json";
  const Json good = *read_json_file(config.string());
  const std::string up = "model.layers.0.mlp.up_proj";
  for (const Json& slots :
       {Json{{up, {{"rank", 0}}}}, Json{{up, {{"rank", 33}}}}, Json{{up, {{"rank", "6"}}}},
        Json{{up, 6}}, Json{{up, {{"rank", 6}, {"bias", 1}}}}, Json::array({up}),
        Json{{up, {{"rank", 6}, {"bias", true}, {"between", "sine"}}}},
        Json{{"model.layers.9.mlp.up_proj", {{"rank", 6}}}}, Json{{up, {{"rank", 5}}}}}) {
    Json bad = good;
    bad["factored_slots"] = slots;
    folder_.write("kept/config.json", bad.dump());
    const auto opened = ModelFile::open(folder_.path() / "kept");
    ASSERT_FALSE(opened.ok()) << slots.dump();
    EXPECT_EQ(opened.error().kind, ErrorKind::kData);
  }
}

}  // namespace
}  // namespace lathe
