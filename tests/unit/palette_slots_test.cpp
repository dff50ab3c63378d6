// Models whose slots are palettes: what a folder of one gives back and computes, what other formats
// get of it, what weighs weights by gradients, what is refused before anything is done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/backend/sums.h"
#include "engine/compress/compress_spec.h"
#include "engine/compress/sensitivity.h"
#include "engine/compress/stored_slots.h"
#include "engine/lm/language_model.h"
#include "engine/lm/logit_probe.h"
#include "engine/lm/model_export.h"
#include "engine/quant/palette_matrix.h"
#include "tests/support/memory_tokens.h"
#include "tests/support/model_folder.h"
#include "tests/support/stored_values.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

const std::vector<LayerType> kAllTypes = target_types(CompressTarget::kAll);

class PaletteSlotsTest : public testing::Test {
 protected:
  PaletteSlotsTest()
      : folder_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        backend_(std::move(*make_backend("cpu", 1))),
        text_(test::learnable_tokens(40, 4000)) {
    test::write_gguf(folder_.path() / "m.gguf", test::small_llama(),
                     test::random_values(test::small_llama()));
  }
  ModelFile dense() const { return *ModelFile::open(folder_.path() / "m.gguf"); }
  CalibrationSequences sequences(const ModelFile& model, std::int64_t samples = 16) const {
    return *draw_sequences(*text_, model.config(), {.samples = samples, .seq_len = 32});
  }
  Result<StoredModel> stored(const QuantConfig& config,
                             std::span<const LayerType> types = kAllTypes) {
    CompressSpec spec;
    spec.decompose = false;
    spec.quant = config;
    const auto options = store_options(spec);
    if (!options) {
      return options.error();
    }
    const ModelFile model = dense();
    return store_slots(*backend_, model, sequences(model), *options, types, {});
  }
  Result<ExportReport> written(const ModelFile& file, const std::string& name, ModelFormat format,
                               StoredType type, Factors factors) {
    return export_model(*backend_, file, file.plans(),
                        {.format = format,
                         .type = type,
                         .factors = factors,
                         .out = folder_.path() / name,
                         .name = "small"});
  }
  std::vector<float> logits(const ModelFile& file, WeightForm form) {
    auto model = LanguageModel::open(*backend_, file, form);
    return probe_logits(*backend_, model->transformer(), file.config());
  }

  test::ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<const TokenSource> text_;
};

TEST_F(PaletteSlotsTest, AFolderGivesBackTheVeryBytesAndComputesTheSame) {
  int number = 0;
  for (const QuantConfig& config : std::vector<QuantConfig>{
           {.type = QuantType::kPalette, .bits = 3},
           {.type = QuantType::kPalette, .bits = 1, .palette_rows = 16},
           {.type = QuantType::kPalette, .bits = 4, .clusters = 11, .palette_scale = true},
           {.type = QuantType::kPalette, .bits = 6, .palette_dim = 2, .palette_scale = true}}) {
    const auto rounded = stored(config);
    ASSERT_TRUE(rounded.ok()) << rounded.error().text();
    ASSERT_EQ(rounded->layers.size(), 14u);
    const std::string out = "folder" + std::to_string(number++);
    const auto report =
        written(rounded->file, out, ModelFormat::kHuggingFace, StoredType::kF32, Factors::kKeep);
    ASSERT_TRUE(report.ok()) << report.error().text();
    EXPECT_TRUE(report->reencoded.empty());
    const auto again = ModelFile::open(folder_.path() / out);
    ASSERT_TRUE(again.ok()) << again.error().text();
    EXPECT_EQ(again->stored_bytes(), report->bytes);
    for (const StoredLayer& layer : rounded->layers) {
      const StoredTensor& kept = again->find(layer.name)->stored;
      const StoredTensor& made = rounded->file.find(layer.name)->stored;
      EXPECT_EQ(kept.type, palette_dtype(int(config.bits), int(config.palette_dim)));
      EXPECT_TRUE(std::ranges::equal(kept.bytes, made.bytes)) << layer.name;
      const std::int64_t rows = config.palette_rows > 0 ? config.palette_rows : layer.out;
      EXPECT_EQ(layer.bytes, layer.out * layer.in * config.bits / config.palette_dim / 8 + 8 +
                                 layer.out / rows * 2 * config.palette_dim * (1 << config.bits) +
                                 (config.palette_scale ? 4 * layer.out : 0));
    }
    const std::vector<float> floats = logits(*again, WeightForm::kFloats);
    const std::vector<float> packed = logits(*again, WeightForm::kAsStored);
    for (std::size_t i = 0; i < floats.size(); ++i) {
      ASSERT_NEAR(packed[i], floats[i], 1e-4f) << out;
    }
  }
}

TEST_F(PaletteSlotsTest, OtherFormatsGetTheValuesAndTellWhatTheyLose) {
  ASSERT_TRUE(written(stored({.type = QuantType::kPalette, .bits = 3})->file, "palettes",
                      ModelFormat::kHuggingFace, StoredType::kF32, Factors::kKeep)
                  .ok());
  const ModelFile folder = *ModelFile::open(folder_.path() / "palettes");
  // Dense: values of f16 as they are, 8 of them in a matrix (check A4 of the reference).
  const auto dense =
      written(folder, "dense", ModelFormat::kHuggingFace, StoredType::kF16, Factors::kMultiplyOut);
  ASSERT_TRUE(dense.ok()) << dense.error().text();
  ASSERT_EQ(dense->reencoded.size(), 1u);
  EXPECT_EQ(dense->reencoded[0].error, 0);
  const ModelFile snapped = *ModelFile::open(folder_.path() / "dense");
  std::vector<float> values = snapped.floats("layers.1.mlp.down.weight");
  EXPECT_EQ(values, folder.floats("layers.1.mlp.down.weight"));
  EXPECT_EQ(std::set<float>(values.begin(), values.end()).size(), 8u);
  // GGUF: levels of another grid.
  const auto gguf =
      written(folder, "q4.gguf", ModelFormat::kGguf, StoredType::kQ4_0, Factors::kMultiplyOut);
  ASSERT_TRUE(gguf.ok()) << gguf.error().text();
  ASSERT_EQ(gguf->reencoded.size(), 1u);
  const Reencoded& lost = gguf->reencoded[0];
  EXPECT_EQ(lost.from, "palette3");
  EXPECT_EQ(lost.to, "q4_0");
  EXPECT_EQ(lost.matrices, 14);
  EXPECT_GT(lost.error, 0.01);
  EXPECT_LT(lost.error, 0.2);
  EXPECT_GE(lost.largest, lost.error);
  EXPECT_NE(folder.find(lost.where), nullptr);
  EXPECT_EQ(
      ModelFile::open(folder_.path() / "q4.gguf")->find("layers.0.mlp.down.weight")->stored.type,
      StoredType::kQ4_0);
}

TEST_F(PaletteSlotsTest, WeightsAreWeighedByTheirSquaredGradients) {
  const ModelFile model = dense();
  const CalibrationSequences text = sequences(model, 2);
  const std::vector<LayerType> down{LayerType::kDown};
  const auto squares = weight_sensitivity(*backend_, model, text, down, 64, {});
  ASSERT_TRUE(squares.ok()) << squares.error().text();
  ASSERT_EQ(squares->size(), 2u);
  // Against differences of the loss of each sequence, at a few weights.
  Transformer transformer(*backend_, model.config(), model.plans());
  load_weights(*backend_, model, transformer);
  const std::string name = "layers.1.mlp.down.weight";
  std::vector<float> weight = model.floats(name);
  const auto loss = [&](std::int64_t sequence) {
    for (Parameter* parameter : transformer.parameters()) {
      if (parameter->name == name) {
        backend_->write(parameter->weight, weight.data(), parameter->weight.ref().bytes());
      }
    }
    const auto begin = text.ids.begin() + sequence * text.length;
    std::vector<std::int32_t> targets(begin + 1, begin + text.length);
    targets.push_back(-1);
    const Tensor ids = workspace(*backend_, "test", "ids", Shape{text.length}, DType::kI32);
    const Tensor wanted = workspace(*backend_, "test", "ids", Shape{text.length}, DType::kI32);
    backend_->write(ids, &*begin, ids.ref().bytes());
    backend_->write(wanted, targets.data(), wanted.ref().bytes());
    const Tensor sums = make_sums(*backend_, "test", "sums");
    transformer.evaluate(ids, wanted, {.batch = 1, .seq_len = text.length}, 0, sums);
    return read_cross_entropy(*backend_, sums).loss;
  };
  for (const std::size_t at : {3u, 700u, 1800u}) {
    const float was = weight[at];
    constexpr float kStep = 1e-2f;
    double sum = 0;
    for (std::int64_t sequence = 0; sequence < 2; ++sequence) {
      weight[at] = was + kStep;
      const double more = loss(sequence);
      weight[at] = was - kStep;
      sum += std::pow((more - loss(sequence)) / (2.0 * double{kStep}), 2);
    }
    weight[at] = was;
    EXPECT_NEAR(squares->at(name)[at], sum, 0.02 * sum + 1e-6) << at;
  }
}

TEST_F(PaletteSlotsTest, WeighedPalettesAreOthers) {
  const auto uniform = stored({.type = QuantType::kPalette, .bits = 2});
  const auto fisher =
      stored({.type = QuantType::kPalette, .bits = 2, .weighting = ClusterWeighting::kFisher});
  ASSERT_TRUE(uniform.ok() && fisher.ok());
  for (std::size_t i = 0; i < uniform->layers.size(); ++i) {
    EXPECT_GT(fisher->layers[i].error_share, uniform->layers[i].error_share);
  }
}

TEST_F(PaletteSlotsTest, WhatDoesNotDivideIsRefusedByName) {
  const auto refusal = [&](const QuantConfig& config) {
    const auto result = stored(config);
    return result.ok() ? std::string() : result.error().text();
  };
  EXPECT_THAT(refusal({.type = QuantType::kPalette, .bits = 3, .palette_rows = 5}),
              HasSubstr("layers.0.attention.q.weight: its 32 rows are not whole palettes of 5"));
  EXPECT_THAT(refusal({.type = QuantType::kPalette, .bits = 3, .palette_dim = 3}),
              HasSubstr("which are not whole blocks of 48 (palette3_d3); choose another "
                        "quant.palette_dim"));
  EXPECT_THAT(refusal({.type = QuantType::kPalette, .bits = 3, .clusters = 12}),
              HasSubstr("quant.clusters=12 is more than the 8"));
  EXPECT_THAT(refusal({.type = QuantType::kPalette, .rounding = RoundingRule::kGptq}),
              HasSubstr("quant.rounding=gptq rounds nf4 and int"));
  EXPECT_THAT(refusal({.type = QuantType::kPalette, .loftq_rank = 4}),
              HasSubstr("for which palettes are not made"));
  EXPECT_THAT(refusal({.type = QuantType::kInt, .bits = 1}),
              HasSubstr("quant.bits=1 is no width of int"));
}

}  // namespace
}  // namespace lathe
