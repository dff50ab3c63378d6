// A whole training on the simulated device: all kernels of forward, backward and update together.
#include <gtest/gtest.h>

#include "engine/backend/simt/simt_backend.h"
#include "tests/device/device_training.h"

namespace lathe::test {
namespace {

class SimtTraining : public testing::Test {
 protected:
  SimtBackend device_{simt::Turns::kDescending};
};

TEST_F(SimtTraining, LearnsAsTheProcessorDoes) {
  expect_same_losses(device_, llama_like_spec(), 6, 1e-4);
  expect_same_losses(device_, gpt2_like_spec(), 6, 1e-4);
}

TEST_F(SimtTraining, LowRankSlotsLearnAsTheProcessorDoes) {
  TrainSpec spec = llama_like_spec();
  spec.method = {{"low_rank", {{"rank", 8}}}};
  expect_same_losses(device_, spec, 6, 1e-4);
}

TEST_F(SimtTraining, RepeatsItselfToTheBit) {
  expect_repeatable(device_, llama_like_spec(), 3);
}

TEST_F(SimtTraining, KeepsToThePlan) {
  expect_planned_peak(device_, llama_like_spec());
  expect_planned_peak(device_, gpt2_like_spec());
}

TEST_F(SimtTraining, GoesOnAfterLackOfMemory) {
  expect_recovery_from_lack_of_memory(device_, llama_like_spec());
}

}  // namespace
}  // namespace lathe::test
