// One look at a model, and the choices of ranks that are had of it.
#include "experiments/compress_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/model_folder.h"

namespace lathe::experiments {
namespace {

using ::testing::HasSubstr;

ModelConfig byte_llama() {
  ModelConfig model = test::small_llama();
  model.vocab_size = 260;
  model.context = 512;
  return model;
}

class CompressSessionTest : public testing::Test {
 protected:
  CompressSessionTest()
      : folder_(std::string("compress_") +
                testing::UnitTest::GetInstance()->current_test_info()->name()),
        backend_(std::move(*make_backend("cpu", 1))) {
    setenv("XDG_CACHE_HOME", (folder_.path() / "cache").c_str(), 1);
    folder_.write_llama(byte_llama(), test::random_values(byte_llama()));
    std::filesystem::create_directories(folder_.path() / "text");
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (int word = 0; word < 200; ++word) {
        text += std::to_string((word * 7919 + i * 104729) % 9973) + " ";
      }
      folder_.write("text/" + std::to_string(i) + ".txt", text);
    }
    spec_.calibration = {.samples = 32, .seq_len = 32};
    spec_.heldout_windows = 8;
    spec_.multiple = 1;
    spec_.data.path = (folder_.path() / "text").string();
  }
  CompressSession opened() {
    auto session = CompressSession::open(*backend_, folder_.path().string());
    CHECK(session.ok(), "the test's own model");
    return std::move(*session);
  }

  test::ModelFolder folder_;
  std::unique_ptr<Backend> backend_;
  CompressSpec spec_;
};

TEST_F(CompressSessionTest, OneLookServesEveryChoiceOfRanks) {
  CompressSession session = opened();
  EXPECT_EQ(session.spectrum(), nullptr);
  ASSERT_TRUE(session.look(spec_, {}).ok());
  const auto spectrum = session.spectrum();
  ASSERT_NE(spectrum, nullptr);
  EXPECT_TRUE(spectrum->weighed);
  double former = 0;
  for (const double budget : {0.9, 0.5}) {
    spec_.budget = budget;
    ASSERT_TRUE(session.look(spec_, {}).ok());
    EXPECT_EQ(session.spectrum(), spectrum) << "no second look";
    const auto plan = plan_ranks(*spectrum, to_json(spec_), 2);
    ASSERT_TRUE(plan.ok()) << plan.error().text();
    const auto model = session.with_ranks(spec_, plan->layers, {});
    ASSERT_TRUE(model.ok()) << model.error().text();
    EXPECT_EQ(model->parameters(), plan->summary.params_after);
    EXPECT_LT(plan->ops_after, plan->ops_before);
    const auto loss = session.loss(*model, spec_, {});
    ASSERT_TRUE(loss.ok()) << loss.error().text();
    const double change = std::abs(loss->perplexity - *session.dense_perplexity(spec_, {}));
    EXPECT_GT(change, former);
    former = change;
  }
  spec_.solver = LordSolver::kSvd;
  ASSERT_TRUE(session.look(spec_, {}).ok());
  EXPECT_NE(session.spectrum(), spectrum) << "another solver looks anew";
}

TEST_F(CompressSessionTest, BudgetsGoWhereTheLossMindsErrorsLeast) {
  CompressSession session = opened();
  ASSERT_TRUE(session.look(spec_, {}).ok());
  ModelSpectrum spectrum = *session.spectrum();
  for (const SpectrumLayer& layer : spectrum.layers) {
    EXPECT_GT(layer.importance, 0) << layer.slot.name;
  }
  for (SpectrumLayer& layer : spectrum.layers) {
    layer.importance = layer.slot.name.starts_with("layers.0") ? 1e6 : 1;
  }
  spec_.budget = 0.7;
  const auto plan = plan_ranks(spectrum, to_json(spec_), 2);
  ASSERT_TRUE(plan.ok()) << plan.error().text();
  std::int64_t first = 0, second = 0;
  for (const RankVerdict& layer : plan->layers) {
    (layer.name.starts_with("layers.0") ? first : second) += layer.params_after;
  }
  EXPECT_GT(first, second);
}

TEST_F(CompressSessionTest, AStoppedLookLeavesNone) {
  CompressSession session = opened();
  const Result<void> stopped =
      session.look(spec_, [](double share, const std::string&) { return share < 0.5; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(session.spectrum(), nullptr);
  EXPECT_TRUE(session.look(spec_, {}).ok());
}

TEST_F(CompressSessionTest, RefusesWhatIsNoModelAndTwoRules) {
  const auto none = CompressSession::open(*backend_, "no-such-model");
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().message, HasSubstr("no-such-model"));
  CompressSession session = opened();
  ASSERT_TRUE(session.look(spec_, {}).ok());
  spec_.rank = 4;
  spec_.energy = 0.5;
  EXPECT_FALSE(plan_ranks(*session.spectrum(), to_json(spec_), 2).ok());
}

}  // namespace
}  // namespace lathe::experiments
