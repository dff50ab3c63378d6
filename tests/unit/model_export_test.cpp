// Exports: what is written opens again as the model it was, and what cannot be held is refused.
#include "engine/lm/model_export.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/lm/language_model.h"
#include "tests/unit/model_files.h"

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

}  // namespace
}  // namespace lathe
