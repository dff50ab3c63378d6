// What the papers found of large models, on a small trained one (stories260K): which solver loses
// more, that budgets, sequential fits and more text help, and that perplexity falls with rank.
// LATHE_DATA names the data.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "engine/compress/compress_spec.h"
#include "engine/compress/decomposition.h"
#include "engine/compress/heldout.h"
#include "engine/compress/sensitivity.h"
#include "tests/support/llama2c.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

constexpr std::int64_t kLength = 256;
constexpr std::int64_t kWindows = 64;

// Nine tenths of the stories to look at, the rest held out.
class Stories final : public TokenSource {
 public:
  explicit Stories(const std::vector<std::int32_t>& ids)
      : train_(ids.begin(), ids.end() - std::ssize(ids) / 10),
        heldout_(ids.end() - std::ssize(ids) / 10, ids.end()) {
    info_.vocab_size = 512;
    info_.train_tokens = std::ssize(train_);
    info_.heldout_tokens = std::ssize(heldout_);
  }
  const CorpusInfo& info() const override { return info_; }
  std::span<const std::int32_t> tokens(Split split) const override {
    return split == Split::kTrain ? train_ : heldout_;
  }
  std::string decode(std::span<const std::int32_t>) const override { return ""; }

 private:
  std::vector<std::int32_t> train_, heldout_;
  CorpusInfo info_;
};

std::vector<std::int32_t> story_ids(const std::string& data) {
  const test::Llama2cTokenizer tokenizer(data + "/stories260k/tok512.bin");
  std::ostringstream text;
  text << std::ifstream(data + "/tinystories/tinystories_train.txt").rdbuf();
  const std::string all = text.str();
  const std::string mark = "<|endoftext|>";
  constexpr std::size_t kTokens = 150000;
  std::vector<std::int32_t> ids;
  for (std::size_t at = 0; at < all.size() && ids.size() < kTokens;) {
    const std::size_t end = std::min(all.find(mark, at), all.size());
    ids.push_back(1);  // a story begins with it
    for (const std::int32_t id : tokenizer.encode(all.substr(at, end - at))) {
      ids.push_back(id);
    }
    at = end + mark.size();
  }
  return ids;
}

class SolverOrderTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* folder = std::getenv("LATHE_DATA");
    if (folder == nullptr) {
      return;
    }
    const std::string data = folder;
    backend_ = std::move(*make_backend("cpu", 2));
    const test::Llama2cModel stories(*backend_, data + "/stories260k/stories260K.bin");
    ModelConfig config = stories.config();
    config.context = stories.context();
    static const test::ModelFolder files("solver_order");
    files.write_llama(config, stories.weights());
    model_ = std::make_unique<ModelFile>(*ModelFile::open(files.path()));
    text_ = std::make_unique<Stories>(story_ids(data));
  }
  static void TearDownTestSuite() {
    model_.reset();
    backend_.reset();
  }
  void SetUp() override {
    if (model_ == nullptr) {
      GTEST_SKIP() << "LATHE_DATA does not name the folder of the data sets";
    }
  }

  static CalibrationSequences sequences(std::int64_t samples) {
    return *draw_sequences(*text_, model_->config(), {.samples = samples, .seq_len = kLength});
  }
  static Decomposition look(LordSolver solver, std::int64_t samples = 64) {
    return *Decomposition::of(*backend_, *model_, sequences(samples), {.solver = solver},
                              target_types(CompressTarget::kAll), {});
  }
  static double perplexity(const ModelFile& model) {
    return heldout_loss(*backend_, model, *text_, kLength, kWindows, {})->perplexity;
  }
  static std::vector<RankVerdict> ranks(const Decomposition& all, RankRule rule, double share) {
    std::vector<RankLayer> layers;
    for (const DecomposedLayer& layer : all.layers()) {
      layers.push_back({.slot = layer.slot,
                        .spectrum = &layer.solution.spectrum(),
                        .adds_bias = layer.solution.has_bias() && !layer.slot.bias,
                        .importance = layer.importance});
    }
    return *choose_ranks(layers, {.rule = rule, .value = share, .relative_error = false});
  }
  static double uniform(const Decomposition& all, double share) {
    return perplexity(all.with_ranks(ranks(all, RankRule::kParamShare, share)));
  }

  static inline std::unique_ptr<Backend> backend_;
  static inline std::unique_ptr<ModelFile> model_;
  static inline std::unique_ptr<Stories> text_;
};

TEST_F(SolverOrderTest, APlainSvdLosesMostAndTheMeanIsWorthABias) {
  const double svd = uniform(look(LordSolver::kSvd), 0.8);
  const double asvd = uniform(look(LordSolver::kAsvd), 0.8);
  const double whitened = uniform(look(LordSolver::kWhitened), 0.8);
  const double affine = uniform(look(LordSolver::kAffine), 0.8);
  EXPECT_GT(svd, asvd);
  EXPECT_GT(asvd, whitened);
  EXPECT_LE(affine, 1.02 * whitened);
  EXPECT_GT(affine, perplexity(*model_));
}

TEST_F(SolverOrderTest, PerplexityFallsWithRankAndBudgetsBeatEqualShares) {
  Decomposition all = look(LordSolver::kAffine);
  all.set_importance(*output_sensitivity(*backend_, *model_, sequences(64), 4096, {}));
  double former = perplexity(*model_);
  for (const double share : {0.9, 0.8, 0.7, 0.5}) {
    const double equal = uniform(all, share);
    EXPECT_GT(equal, former) << share;
    if (share >= 0.8) {  // with less than that so small a model says nothing any more
      EXPECT_LT(perplexity(all.with_ranks(ranks(all, RankRule::kBudget, share))), equal) << share;
    }
    former = equal;
  }
}

TEST_F(SolverOrderTest, FittingToTheFactoredPrefixHelpsAndSoDoesMoreText) {
  const Decomposition few = look(LordSolver::kAffine, 64);
  const std::vector<RankVerdict> half = ranks(few, RankRule::kParamShare, 0.6);
  const double alone = perplexity(few.with_ranks(half));
  const auto fitted = few.sequentially(*backend_, sequences(64), half, 1e-6, {});
  ASSERT_TRUE(fitted.ok()) << fitted.error().text();
  EXPECT_LT(perplexity(*fitted), alone);
  EXPECT_LE(uniform(look(LordSolver::kAffine, 256), 0.6), 1.02 * alone);
}

}  // namespace
}  // namespace lathe
