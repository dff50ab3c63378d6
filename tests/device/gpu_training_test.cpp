// Training on a real device: parity with the processor, replay, plan, and what errors leave behind.
#include <gtest/gtest.h>

#include "tests/device/device_training.h"
#include "tests/device/gpu.h"

namespace lathe::test {
namespace {

std::unique_ptr<Backend> device;

TEST(GpuTraining, FiftyStepsHaveTheLossesOfTheProcessor) {
  expect_same_losses(*device, llama_like_spec(), 50, 1e-3);
  expect_same_losses(*device, gpt2_like_spec(), 50, 1e-3);
}

TEST(GpuTraining, LowRankSlotsHaveTheLossesOfTheProcessor) {
  TrainSpec spec = llama_like_spec();
  spec.method = {{"low_rank", {{"rank", 8}}}};
  expect_same_losses(*device, spec, 50, 1e-3);
}

TEST(GpuTraining, PalettesHaveTheLossesOfTheProcessor) {
  for (const Json& params :
       {Json{{"row_scale", "largest"}}, Json{{"rows", 8}}, Json{{"cluster_dim", 2}},
        Json{{"memory", "naive"}, {"maps", "f32"}}}) {
    const TrainSpec spec = palette_spec(params);
    expect_same_losses(*device, spec, 20, 1e-3);
    expect_planned_peak(*device, spec);
    expect_same_with_graph(*device, spec);
  }
  // What was recorded before they begin is not what is issued then.
  expect_same_with_graph(*device, palette_spec({{"begin_after", 3}}));
}

TEST(GpuTraining, ProjectedGradientsHaveTheLossesOfTheProcessor) {
  for (const bool per_layer : {false, true}) {
    const TrainSpec spec = galore_spec({{"per_layer", per_layer}});
    expect_same_losses(*device, spec, 20, 1e-3);
    expect_planned_peak(*device, spec);
    expect_same_with_graph(*device, spec);
  }
}

TEST(GpuTraining, RoundedProductsStayClose) {
  for (const ProductPrecision products : {ProductPrecision::kTf32, ProductPrecision::kBf16}) {
    const auto rounding = gpu_backend(products);
    ASSERT_NE(rounding, nullptr);
    expect_same_losses(*rounding, llama_like_spec(), 20, 5e-2);
  }
}

TEST(GpuTraining, RoundedActivationsStayClose) {
  TrainSpec spec = llama_like_spec();
  spec.train.activations = ActivationStore::kBf16;
  expect_same_losses(*device, spec, 20, 1e-2);
  expect_planned_peak(*device, spec);
}

TEST(GpuTraining, RepeatsItselfToTheBit) {
  expect_repeatable(*device, llama_like_spec(), 20);
}

TEST(GpuTraining, KeepsToThePlan) {
  expect_planned_peak(*device, llama_like_spec());
  expect_planned_peak(*device, gpt2_like_spec());
}

TEST(GpuTraining, AGraphOfTheStepHasTheBitsOfItsOps) {
  expect_same_with_graph(*device, llama_like_spec());
  expect_same_with_graph(*device, gpt2_like_spec());
  expect_same_with_graph(*device, dropping_spec());
  expect_same_with_graph(*device, projecting_spec({{"init", "ema"}}));
  expect_same_with_graph(*device, projecting_spec({{"state", "factored"}}));
  expect_same_with_graph_of_samples(*device);
  expect_graph_refuses_broken_steps(*device, llama_like_spec());
}

// The reserve of this program is a part of what all programs use.
TEST(GpuTraining, TheDeviceTellsWhatIsUsed) {
  const auto used = device->device_used_bytes();
  ASSERT_TRUE(used.has_value());
  EXPECT_GE(*used, device->allocator().pool_bytes());
  EXPECT_GE(device->allocator().pool_bytes(), device->ledger().live().live_bytes);
}

TEST(GpuTraining, GoesOnAfterLackOfMemory) {
  expect_recovery_from_lack_of_memory(*device, llama_like_spec());
}

// More than the device has: the error names what wanted it, and the device works on.
TEST(GpuTraining, TooLargeATensorIsAnErrorAndNoMore) {
  const Tag tag{.category = Category::kWeights, .layer = "huge", .name = "weight"};
  EXPECT_THROW(Tensor(device->allocator(), DType::kF32, Shape{std::int64_t{1} << 42}, tag),
               OutOfMemory);
  expect_repeatable(*device, llama_like_spec(), 1);
}

}  // namespace
}  // namespace lathe::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  lathe::test::device = lathe::test::gpu_backend();
  if (lathe::test::device == nullptr) {
    return lathe::test::kSkipped;
  }
  const int failed = RUN_ALL_TESTS();
  lathe::test::device.reset();
  return failed;
}
