// Models whose slots are stored in few bits: what is rounded, what GPTQ gains, what a folder of
// such a model gives back, what is refused.
#include "engine/compress/stored_slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/compress/compress_spec.h"
#include "engine/compress/decomposition.h"
#include "engine/compress/heldout.h"
#include "engine/lm/language_model.h"
#include "engine/lm/logit_probe.h"
#include "engine/lm/model_export.h"
#include "tests/support/block_values.h"
#include "tests/support/memory_tokens.h"
#include "tests/support/model_folder.h"
#include "tests/support/stored_values.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

const std::vector<LayerType> kAllTypes = target_types(CompressTarget::kAll);
const std::vector<LayerType> kMlpTypes = target_types(CompressTarget::kMlp);
const StoredType kInt3 = group_dtype(3, 32);

class StoredSlotsTest : public testing::Test {
 protected:
  StoredSlotsTest()
      : folder_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        backend_(std::move(*make_backend("cpu", 1))),
        text_(test::learnable_tokens(40, 4000)) {
    test::write_gguf(folder_.path() / "m.gguf", test::small_llama(),
                     test::random_values(test::small_llama()));
  }
  ModelFile dense() const { return *ModelFile::open(folder_.path() / "m.gguf"); }
  // With MLPs of rank 32 (of 32), so that rows of both factors are whole blocks.
  ModelFile factored() {
    const ModelFile model = dense();
    const auto all =
        Decomposition::of(*backend_, model, sequences(model), {}, kMlpTypes, {}).value();
    std::vector<RankVerdict> verdicts;
    for (const DecomposedLayer& layer : all.layers()) {
      verdicts.push_back({.name = layer.slot.name, .rank = 32});
    }
    return all.with_ranks(verdicts);
  }
  CalibrationSequences sequences(const ModelFile& model) const {
    return *draw_sequences(*text_, model.config(), {.samples = 64, .seq_len = 32});
  }
  Result<StoredModel> stored(const ModelFile& model, StoredType type, RoundingRule rounding,
                             std::span<const LayerType> types = kAllTypes) {
    return store_slots(*backend_, model, sequences(model), {.type = type, .rounding = rounding},
                       types, {});
  }
  Result<ExportReport> written(const ModelFile& file, const std::filesystem::path& out) {
    return export_model(*backend_, file, file.plans(),
                        {.format = ModelFormat::kHuggingFace,
                         .type = StoredType::kF32,
                         .factors = Factors::kKeep,
                         .out = out,
                         .name = "small"});
  }
  std::vector<float> logits(const ModelFile& file, WeightForm form) {
    auto model = LanguageModel::open(*backend_, file, form);
    return probe_logits(*backend_, model->transformer(), file.config());
  }
  // Between what the blocks of two models make of text.
  double distance(const ModelFile& a, const ModelFile& b) {
    const auto made = [&](const ModelFile& model) {
      return test::last_block_values(
          *backend_, model, sequences(model))[static_cast<std::size_t>(BlockValue::kDownMade)];
    };
    return test::squared_error(made(a), made(b));
  }

  test::ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<const TokenSource> text_;
};

TEST_F(StoredSlotsTest, EverySlotIsWhatItsTypeReads) {
  const ModelFile model = dense();
  const auto rounded = stored(model, kInt3, RoundingRule::kNearest);
  ASSERT_TRUE(rounded.ok()) << rounded.error().text();
  EXPECT_EQ(rounded->layers.size(), 14u);
  for (const StoredLayer& layer : rounded->layers) {
    const std::vector<float> values = model.floats(layer.name);
    const std::vector<float> read = test::round_trip(kInt3, values);
    EXPECT_EQ(rounded->file.floats(layer.name), read) << layer.name;
    EXPECT_EQ(layer.bytes * 8, layer.out * layer.in * 4);  // 3 bits and 32 a group of 32
    const double energy = test::squared_error(values, std::vector<float>(values.size()));
    EXPECT_NEAR(layer.error_share, test::squared_error(values, read) / energy, 1e-9);
  }
  EXPECT_EQ(rounded->file.find("embedding.weight")->stored.type,
            model.find("embedding.weight")->stored.type);
}

TEST_F(StoredSlotsTest, OthersStayAsTheyAre) {
  const ModelFile model = dense();
  const auto rounded =
      stored(model, StoredType::kNf4, RoundingRule::kNearest, std::vector{LayerType::kDown});
  ASSERT_TRUE(rounded.ok()) << rounded.error().text();
  EXPECT_EQ(rounded->layers.size(), 2u);
  EXPECT_EQ(rounded->file.find("layers.0.mlp.down.weight")->stored.type, StoredType::kNf4);
  EXPECT_EQ(rounded->file.floats("layers.0.mlp.up.weight"), model.floats("layers.0.mlp.up.weight"));
}

TEST_F(StoredSlotsTest, GptqKeepsWhatBlocksMakeOfText) {
  const ModelFile model = dense();
  const auto nearest = stored(model, kInt3, RoundingRule::kNearest);
  const auto gptq = stored(model, kInt3, RoundingRule::kGptq);
  ASSERT_TRUE(gptq.ok()) << gptq.error().text();
  EXPECT_LT(distance(gptq->file, model), 0.7 * distance(nearest->file, model));
}

TEST_F(StoredSlotsTest, FactorsAreRoundedEachBehindTheOther) {
  const ModelFile model = factored();
  const auto nearest = stored(model, kInt3, RoundingRule::kNearest);
  const auto gptq = stored(model, kInt3, RoundingRule::kGptq);
  ASSERT_TRUE(nearest.ok() && gptq.ok());
  EXPECT_EQ(gptq->layers.size(), 8u + 12u);
  EXPECT_EQ(gptq->file.find("layers.1.mlp.down.b")->stored.type, kInt3);
  EXPECT_LT(distance(gptq->file, model), 0.8 * distance(nearest->file, model));
}

TEST_F(StoredSlotsTest, ComputesTheSameFromTheStoredForm) {
  const auto rounded = stored(dense(), kInt3, RoundingRule::kGptq);
  ASSERT_TRUE(rounded.ok());
  const auto loss = heldout_loss(*backend_, rounded->file, *text_, 16, 20, {});
  auto as_stored = LanguageModel::open(*backend_, rounded->file, WeightForm::kAsStored);
  ASSERT_TRUE(loss.ok() && as_stored.ok());
  for (Parameter* parameter : as_stored->transformer().parameters()) {
    if (parameter->name.ends_with("mlp.down.weight")) {
      EXPECT_EQ(parameter->weight.dtype(), kInt3);
    }
  }
}

TEST_F(StoredSlotsTest, AFolderGivesBackTheVeryBytes) {
  for (const bool factors : {false, true}) {
    const auto rounded =
        stored(factors ? factored() : dense(), group_dtype(4, 32), RoundingRule::kGptq);
    ASSERT_TRUE(rounded.ok());
    const std::filesystem::path out = folder_.path() / (factors ? "factors" : "dense");
    const auto report = written(rounded->file, out);
    ASSERT_TRUE(report.ok()) << report.error().text();
    const auto again = ModelFile::open(out);
    ASSERT_TRUE(again.ok()) << again.error().text();
    for (const StoredLayer& layer : rounded->layers) {
      const ModelTensor& tensor = *again->find(layer.name);
      EXPECT_EQ(tensor.stored.type, group_dtype(4, 32));
      EXPECT_EQ(again->floats(layer.name), rounded->file.floats(layer.name)) << layer.name;
    }
    EXPECT_EQ(again->stored_bytes(), report->bytes);
  }
}

// Rows of 64 alone: the small model's down projections.
TEST_F(StoredSlotsTest, TypesComputeAsTheirFloatsDoAndSurviveAFolder) {
  const std::vector<LayerType> down{LayerType::kDown};
  const std::string name = "layers.1.mlp.down.weight";
  for (const StoredType type :
       {StoredType::kInt8Row, StoredType::kNf4Double, StoredType::kSpqr3, StoredType::kSpqr4}) {
    const auto rounded = stored(dense(), type, RoundingRule::kNearest, down);
    ASSERT_TRUE(rounded.ok()) << rounded.error().text();
    EXPECT_EQ(rounded->file.find(name)->stored.type, type);
    EXPECT_LT(rounded->layers[1].error_share, 0.02);
    const std::filesystem::path out = folder_.path() / std::string(info_of(type).name);
    // Proved by reading back: logits of the folder against those of the values.
    const auto report = written(rounded->file, out);
    ASSERT_TRUE(report.ok()) << report.error().text();
    const auto again = ModelFile::open(out);
    ASSERT_TRUE(again.ok()) << again.error().text();
    EXPECT_EQ(again->find(name)->stored.type, type);
    EXPECT_EQ(again->floats(name), rounded->file.floats(name));
    EXPECT_EQ(again->stored_bytes(), report->bytes);
    const Json config = read_json_file((out / "config.json").string()).value();
    EXPECT_EQ(config["quantization_config"]["quant_method"],
              spqr_bits(type) > 0 ? "lathe" : "bitsandbytes");
    const std::vector<float> floats = logits(*again, WeightForm::kFloats);
    const std::vector<float> packed = logits(*again, WeightForm::kAsStored);
    for (std::size_t i = 0; i < floats.size(); ++i) {
      ASSERT_NEAR(packed[i], floats[i], 1e-4f) << info_of(type).name;
    }
  }
}

TEST_F(StoredSlotsTest, AGgufFileGetsTypesThatItKnows) {
  const auto rounded = stored(dense(), group_dtype(4, 32), RoundingRule::kNearest);
  ASSERT_TRUE(rounded.ok());
  ExportRequest wanted{.format = ModelFormat::kGguf,
                       .type = StoredType::kQ8_0,
                       .out = folder_.path() / "out.gguf",
                       .name = "small"};
  const auto report = export_model(*backend_, rounded->file, rounded->file.plans(), wanted);
  ASSERT_TRUE(report.ok()) << report.error().text();
  EXPECT_EQ(ModelFile::open(wanted.out)->find("layers.0.mlp.down.weight")->stored.type,
            StoredType::kQ8_0);
  EXPECT_FALSE(can_export(ModelFormat::kGguf, group_dtype(4, 32)));
  EXPECT_FALSE(can_export(ModelFormat::kGguf, StoredType::kNf4));
}

TEST_F(StoredSlotsTest, FoldersThatLieAreRefused) {
  const ModelConfig model = test::small_llama();
  folder_.write_llama(model, test::random_values(model));
  Json config = read_json_file((folder_.path() / "config.json").string()).value();
  const auto refusal = [&](const Json& types) {
    config["stored_types"] = types;
    folder_.write("config.json", config.dump());
    const auto opened = ModelFile::open(folder_.path());
    return opened.ok() ? std::string() : opened.error().message;
  };
  const std::string down = "model.layers.0.mlp.down_proj.weight";
  EXPECT_THAT(refusal("int4_g32"), HasSubstr("no object"));
  EXPECT_THAT(refusal({{down, "int9_g32"}}), HasSubstr("int9_g32"));
  EXPECT_THAT(refusal({{down, 4}}), HasSubstr("no block type"));
  EXPECT_THAT(refusal({{down, "f16"}}), HasSubstr("no block type"));
  EXPECT_THAT(refusal({{down, "int4_g32"}}), HasSubstr("not rows of U8"));
  const auto tables = [&](const Json& type, const Json& shape) {
    return refusal({{down, {{"type", type}, {"shape", shape}}}});
  };
  EXPECT_THAT(refusal({{down, "spqr3"}}), HasSubstr("no shape"));
  EXPECT_THAT(tables("spqr3", {32}), HasSubstr("no shape"));
  EXPECT_THAT(tables("spqr3", {32, -64}), HasSubstr("no shape"));
  EXPECT_THAT(tables("spqr3", {1u << 30, 1u << 30}), HasSubstr("no shape"));
  EXPECT_THAT(tables("nf4", {32, 64}), HasSubstr("no block type"));
  EXPECT_THAT(tables("spqr3", {32, 64}), HasSubstr("not one row of U8"));
}

TEST_F(StoredSlotsTest, RefusesWhatDoesNotFit) {
  const ModelFile model = dense();
  const auto wide = stored(model, StoredType::kNf4, RoundingRule::kNearest);
  ASSERT_FALSE(wide.ok());  // rows of 32
  EXPECT_EQ(wide.error().kind, ErrorKind::kUsage);
  EXPECT_THAT(wide.error().message, HasSubstr("layers.0.attention.q.weight has rows of 32"));
  EXPECT_THAT(stored(model, StoredType::kSpqr3, RoundingRule::kNearest).error().message,
              HasSubstr("which are not whole blocks of 64 (spqr3)"));
  const auto stopped = store_slots(*backend_, model, sequences(model), {.type = kInt3}, kAllTypes,
                                   [](double share, const std::string&) { return share < 0.4; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
}

}  // namespace
}  // namespace lathe
