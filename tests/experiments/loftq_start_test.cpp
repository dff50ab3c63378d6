// Runs that begin with the adapters that LoftQ wrote beside their model.
#include "engine/lm/loftq_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/compress/loftq_slots.h"
#include "tests/experiments/base_model_fixture.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr std::int64_t kRank = 4;

class LoftqStartTest : public BaseModelTest {
 protected:
  LoftqStartTest() {
    TrainSpec& train = request_.spec.train;
    train.train.steps = 1;
    train.optim.lr = 1e-12;
    train.optim.weight_decay = 0;
  }
  // A folder of 2 bits a weight, and the adapters that make up for them in it.
  LoftqModel written_with_adapters() {
    auto made = loftq_slots(*ModelFile::open(model_.path()), group_dtype(2, 32),
                            {.rank = kRank, .rounds = 3},
                            std::vector{LayerType::kQuery, LayerType::kDown}, {});
    EXPECT_TRUE(made.ok()) << made.error().text();
    request_.spec.train.model.from = written(made->stored.file, "small");
    EXPECT_TRUE(write_loftq_start(request_.spec.train.model.from, made->adapters).ok());
    return std::move(*made);
  }
  RunOutcome run_with(std::int64_t rank, const std::vector<std::string>& targets) {
    request_.spec.train.method = {
        {"lora", {{"rank", rank}, {"targets", targets}, {"init", "loftq"}, {"alpha", 8}}}};
    request_.spec = *run_spec_from_json(to_json(request_.spec));
    return run_one(request_, ports_);
  }
};

TEST_F(LoftqStartTest, AdaptersAreWhatTheFolderHas) {
  const LoftqModel made = written_with_adapters();
  const RunOutcome outcome = run_with(kRank, {"q", "down"});
  ASSERT_EQ(outcome.state, RunState::kDone) << outcome.error->text();
  const auto scale = static_cast<float>(std::sqrt(1.0 / 2.0));  // theirs over alpha / rank
  for (const StoredAdapter& adapter : made.adapters) {
    for (const auto& [leaf, values] : {std::pair(".lora_a", adapter.a), {".lora_b", adapter.b}}) {
      const std::vector<float> begun = saved(adapter.slot + leaf);
      ASSERT_EQ(begun.size(), values.size());
      for (std::size_t i = 0; i < begun.size(); ++i) {
        ASSERT_NEAR(begun[i], scale * values[i], 1e-6f) << adapter.slot << leaf;
      }
    }
  }
}

TEST_F(LoftqStartTest, TheFolderOfTheAdaptersIsAModelCloserToTheWhole) {
  const LoftqModel made = written_with_adapters();
  const ModelFile whole = *ModelFile::open(model_.path());
  const auto together = ModelFile::with_adapters(made.stored.file, made.adapters);
  ASSERT_TRUE(together.ok());
  const std::string name = "layers.1.mlp.down.weight";
  const std::vector<float> want = whole.floats(name);
  const std::vector<float> alone = made.stored.file.floats(name);
  const std::vector<float> with = together->floats(name);
  double off_alone = 0;
  double off_with = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    off_alone += std::pow(double{want[i]} - double{alone[i]}, 2);
    off_with += std::pow(double{want[i]} - double{with[i]}, 2);
  }
  EXPECT_LT(off_with, 0.8 * off_alone);
}

TEST_F(LoftqStartTest, WhatDoesNotMeetIsRefused) {
  written_with_adapters();
  EXPECT_THAT(run_with(2, {"q", "down"}).error->text(), HasSubstr("adapter of rank 4"));
  EXPECT_THAT(run_with(kRank, {"q"}).error->text(), HasSubstr("of rank 0 in this run"));
  EXPECT_THAT(run_with(kRank, {"all"}).error->text(), HasSubstr("of rank 0 in the model's"));
  fs::remove(fs::path(request_.spec.train.model.from) / kLoftqFolder / "adapter_model.safetensors");
  EXPECT_FALSE(run_with(kRank, {"q", "down"}).error->text().empty());
  request_.spec.train.model.from = model_.path().string();
  request_.spec.train.model.from_hash = "";
  EXPECT_THAT(run_with(kRank, {"q", "down"}).error->text(), HasSubstr("has no loftq_init"));
}

TEST_F(LoftqStartTest, OtherWeightsAroundTheAdaptersAreNoticed) {
  written_with_adapters();
  const std::string small = request_.spec.train.model.from;
  const std::string other = written(*ModelFile::open(model_.path()), "other");
  fs::copy(fs::path(small) / kLoftqFolder, fs::path(other) / kLoftqFolder);
  const auto read = read_loftq_start(*ModelFile::open(other));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().kind, ErrorKind::kMismatch);
}

}  // namespace
}  // namespace lathe::experiments
