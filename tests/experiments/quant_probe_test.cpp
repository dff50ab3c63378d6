// What each type of few bits would lose of a model, and that storing it loses just that.
#include "experiments/quant_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "engine/compress/stored_slots.h"
#include "engine/quant/block_grid.h"
#include "tests/support/model_folder.h"

namespace lathe::experiments {
namespace {

using ::testing::HasSubstr;

class QuantProbeTest : public testing::Test {
 protected:
  QuantProbeTest()
      : folder_(testing::UnitTest::GetInstance()->current_test_info()->name()),
        values_(test::random_values(test::small_llama())) {}
  ModelFile model() const {
    test::write_gguf(folder_.path() / "m.gguf", test::small_llama(), values_);
    return *ModelFile::open(folder_.path() / "m.gguf");
  }
  static QuantProbe probed(const ModelFile& model) {
    auto probe = probe_quant(model, "tiny", 2, {});
    CHECK(probe.ok(), "the test's own model");
    return std::move(*probe);
  }

  test::ModelFolder folder_;
  test::Values values_;
};

TEST_F(QuantProbeTest, OffersEveryTypeAndTellsWhatStoringLoses) {
  const ModelFile file = model();
  const QuantProbe probe = probed(file);
  EXPECT_EQ(probe.options.size(), 3U + 3 * 7 + 2 + 6)
      << "nf4, nf4_dq, int8_row, groups, spqr, palettes";
  EXPECT_EQ(probe.layers.size(), static_cast<std::size_t>(probe.blocks) * 7);
  EXPECT_EQ(probe.spec["decompose"], false);
  const auto option = find_option(probe, "int", 3, 32);
  ASSERT_TRUE(option.has_value());
  EXPECT_EQ(probe.options[*option].name, "int3_g32");
  const QuantPlan plan = plan_quant(probe, *option, "all");
  ASSERT_TRUE(plan.refused.empty());
  EXPECT_DOUBLE_EQ(plan.bits, 4);

  const auto backend = make_backend("cpu", 1);
  const std::vector<LayerType> all{LayerType::kQuery,  LayerType::kKey,  LayerType::kValue,
                                   LayerType::kOutput, LayerType::kGate, LayerType::kUp,
                                   LayerType::kDown};
  const auto stored = store_slots(**backend, file, {}, {.type = group_dtype(3, 32)}, all, {});
  ASSERT_TRUE(stored.ok()) << stored.error().text();
  ASSERT_EQ(stored->layers.size(), probe.layers.size());
  double bytes = 0;
  double error = 0;
  for (std::size_t i = 0; i < probe.layers.size(); ++i) {
    const auto& told = probe.layers[i].statistics.types[*option];
    EXPECT_EQ(probe.layers[i].matrix, stored->layers[i].name);
    EXPECT_EQ(told->bytes, stored->layers[i].bytes);
    EXPECT_NEAR(told->error_share, stored->layers[i].error_share, 1e-6);
    error += stored->layers[i].error_share / static_cast<double>(probe.layers.size());
  }
  for (const ModelTensor& tensor : stored->file.tensors()) {
    bytes += has_grid(tensor.stored.type) ? static_cast<double>(tensor.stored_bytes())
                                          : 2 * static_cast<double>(tensor.elements());
  }
  EXPECT_NEAR(plan.error_share, error, 1e-6);
  EXPECT_EQ(plan.bytes_after, bytes);
  EXPECT_EQ(plan.bytes_before, 2 * static_cast<double>(probe.params));
}

TEST_F(QuantProbeTest, RowsThatAreNotWholeGroupsStayAsTheyAre) {
  const QuantProbe probe = probed(model());
  const auto option = find_option(probe, "int", 4, 128);  // of a model of width 32
  ASSERT_TRUE(option.has_value());
  const QuantPlan plan = plan_quant(probe, *option, "attention");
  EXPECT_EQ(plan.refused.size(), static_cast<std::size_t>(probe.blocks) * 4);
  EXPECT_EQ(plan.bytes_after, plan.bytes_before);
  EXPECT_EQ(plan.bits, 0);
  EXPECT_EQ(refusal_text(probe.layers[0], probe.options[*option]),
            "rows of 32 are not whole groups of 128");
}

TEST_F(QuantProbeTest, OnlyTheLayersThatAreMeantAreRounded) {
  const QuantProbe probe = probed(model());
  const std::size_t option = find_option(probe, "int", 2, 32).value();
  const QuantPlan plan = plan_quant(probe, option, "mlp");
  for (std::size_t i = 0; i < probe.layers.size(); ++i) {
    EXPECT_EQ(plan.rounded[i], probe.layers[i].slot.find(".mlp.") != std::string::npos);
  }
  EXPECT_LT(plan_quant(probe, option, "all").bytes_after, plan.bytes_after);
}

TEST_F(QuantProbeTest, ATypeWithoutChoicesTakesAnyBits) {
  const QuantProbe probe = probed(model());
  const auto nf4 = find_option(probe, "nf4", 7, 128);
  ASSERT_TRUE(nf4.has_value());
  EXPECT_EQ(probe.options[*nf4].name, "nf4");
  EXPECT_FALSE(find_option(probe, "int", 9, 64).has_value());
  EXPECT_FALSE(find_option(probe, "none", 4, 64).has_value());
}

TEST_F(QuantProbeTest, StopsWhenItIsToldToAndRefusesWhatIsNoNumber) {
  const auto stopped =
      probe_quant(model(), "tiny", 2, [](double share, const std::string&) { return share < 0.5; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  values_["layers.1.mlp.up.weight"][3] = std::numeric_limits<float>::infinity();
  const auto refused = probe_quant(model(), "tiny", 2, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kData);
  EXPECT_THAT(refused.error().message, HasSubstr("layers.1.mlp.up.weight"));
}

}  // namespace
}  // namespace lathe::experiments
