// Inference with a cache against the training path: one position at a time, in pieces, or all at
// once give the same logits; and packed weights give those of what they decode to.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/backend/sums.h"
#include "engine/base/rng.h"
#include "engine/nn/transformer.h"
#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

constexpr std::int64_t kVocab = 31;
constexpr std::int64_t kTokens = 23;

ModelConfig small_model(bool tied) {
  return {.dim = 32,
          .layers = 2,
          .heads = 4,
          .kv_heads = 2,
          .ff_dim = 64,
          .vocab_size = kVocab,
          .tied = tied,
          .init_std = 0.2};
}

std::vector<std::int32_t> some_ids() {
  Rng rng(3, 8);
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < kTokens; ++i) {
    ids.push_back(static_cast<std::int32_t>(rng.next_below(kVocab)));
  }
  return ids;
}

// Logits of all positions, fed in pieces of `piece`.
std::vector<float> logits_by(Backend& backend, Transformer& model, const ModelConfig& config,
                             std::int64_t piece) {
  const std::vector<std::int32_t> ids = some_ids();
  KvCache cache(backend, config, kTokens);
  std::vector<float> all;
  for (std::int64_t first = 0; first < kTokens; first += piece) {
    const std::int64_t count = std::min(piece, kTokens - first);
    const Tensor in = workspace(backend, "t", "ids", Shape{count}, DType::kI32);
    const Tensor out = workspace(backend, "t", "logits", Shape{count, kVocab});
    backend.write(in, ids.data() + first, count * 4);
    model.infer(in, cache, out);
    std::vector<float> values(static_cast<std::size_t>(count * kVocab));
    backend.read(out, values.data(), out.ref().bytes());
    all.insert(all.end(), values.begin(), values.end());
  }
  EXPECT_EQ(cache.length(), kTokens);
  return all;
}

void expect_near(const std::vector<float>& a, const std::vector<float>& b, float error) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_NEAR(a[i], b[i], error) << i;
  }
}

class Inference : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Backend> backend_ = std::move(make_backend(GetParam(), 2)).value();
};

TEST_P(Inference, PiecesGiveTheLogitsOfTheWhole) {
  for (const bool tied : {false, true}) {
    const ModelConfig config = small_model(tied);
    Transformer model(*backend_, config, dense_plan(config));
    model.initialise(4);
    const std::vector<float> whole = logits_by(*backend_, model, config, kTokens);
    expect_near(logits_by(*backend_, model, config, 1), whole, 2e-5f);
    expect_near(logits_by(*backend_, model, config, 7), whole, 2e-5f);
  }
}

// What each family of models changes; a window shorter than the text, learned positions that just
// reach.
std::vector<ModelConfig> families() {
  ModelConfig gpt2 = small_model(true);
  gpt2.norm = NormKind::kLayer;
  gpt2.positions = PositionKind::kLearned;
  gpt2.context = kTokens;
  gpt2.mlp = MlpKind::kGeluTanh;
  gpt2.bias = true;
  ModelConfig mistral = small_model(false);
  mistral.window = 6;
  mistral.head_width = 10;
  ModelConfig llama3 = small_model(true);
  llama3.rope_pairs = RopePairs::kInterleaved;
  llama3.rope_scaling = RopeScalingKind::kLlama3;
  llama3.rope_factor = 8;
  llama3.rope_original_context = 64;
  return {small_model(false), gpt2, mistral, llama3};
}

// The loss of each row, from evaluation.
std::vector<float> row_losses(Backend& backend, Transformer& model,
                              const std::vector<std::int32_t>& ids, const BatchShape& shape) {
  const Tensor in = workspace(backend, "t", "ids", Shape{shape.tokens()}, DType::kI32);
  const Tensor losses = workspace(backend, "t", "losses", Shape{shape.tokens()});
  backend.write(in, ids.data(), in.ref().bytes());
  const Tensor sums = make_sums(backend, "t", "sums");
  model.evaluate(in, in, shape, 0, sums, {.losses = losses});
  std::vector<float> values(ids.size());
  backend.read(losses, values.data(), losses.ref().bytes());
  return values;
}

TEST_P(Inference, AgreesWithTheTrainingPath) {
  for (const ModelConfig& config : families()) {
    Transformer model(*backend_, config, dense_plan(config));
    model.initialise(4);
    const std::vector<float> logits = logits_by(*backend_, model, config, 5);
    const std::vector<std::int32_t> ids = some_ids();
    const std::vector<float> losses =
        row_losses(*backend_, model, ids, {.batch = 1, .seq_len = kTokens});
    for (std::size_t row = 0; row < ids.size(); ++row) {
      const float* of_row = logits.data() + row * kVocab;
      double sum = 0;
      for (std::int64_t i = 0; i < kVocab; ++i) {
        sum += std::exp(double(of_row[i]));
      }
      EXPECT_NEAR(losses[row], std::log(sum) - double(of_row[ids[row]]), 2e-5) << row;
    }
  }
}

// Two samples in one row, each with its own positions and first key, score as they do alone.
TEST_P(Inference, PackedSamplesDoNotSeeEachOther) {
  constexpr std::int32_t kFirst = 9;
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> begins;
  for (std::int32_t i = 0; i < kTokens; ++i) {
    positions.push_back(i < kFirst ? i : i - kFirst);
    begins.push_back(i < kFirst ? 0 : kFirst);
  }
  const Tensor place = workspace(*backend_, "t", "positions", Shape{kTokens}, DType::kI32);
  const Tensor first_key = workspace(*backend_, "t", "first_key", Shape{kTokens}, DType::kI32);
  backend_->write(place, positions.data(), place.ref().bytes());
  const std::vector<std::int32_t> ids = some_ids();
  for (const ModelConfig& config : families()) {
    std::vector<std::int32_t> first_keys = begins;
    limit_to_window(first_keys, kTokens, config.window);
    backend_->write(first_key, first_keys.data(), first_key.ref().bytes());
    Transformer model(*backend_, config, dense_plan(config));
    model.initialise(4);
    const std::vector<float> together =
        row_losses(*backend_, model, ids,
                   {.batch = 1, .seq_len = kTokens, .positions = place, .first_key = first_key});
    std::vector<float> apart = row_losses(*backend_, model, {ids.begin(), ids.begin() + kFirst},
                                          {.batch = 1, .seq_len = kFirst});
    const std::vector<float> second =
        row_losses(*backend_, model, {ids.begin() + kFirst, ids.end()},
                   {.batch = 1, .seq_len = kTokens - kFirst});
    apart.insert(apart.end(), second.begin(), second.end());
    expect_near(together, apart, 2e-5f);
  }
}

TEST_P(Inference, PackedWeightsGiveTheLogitsOfWhatTheyDecodeTo) {
  const ModelConfig config = small_model(true);
  std::vector<LinearPlan> plans = dense_plan(config);
  Transformer dense(*backend_, config, plans);
  dense.initialise(4);
  for (LinearPlan& plan : plans) {
    plan.given = true;
  }
  Transformer packed(*backend_, config, plans, TableMemory::kGiven);
  const std::vector<Parameter*> from = dense.parameters();
  const std::vector<Parameter*> to = packed.parameters();
  ASSERT_EQ(from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    ASSERT_EQ(from[i]->name, to[i]->name);
    const TensorRef weight = from[i]->weight;
    if (!to[i]->frozen) {
      backend_->write(to[i]->weight, weight.data, weight.bytes());
      continue;
    }
    const DType dtype = i % 2 == 0 ? DType::kQ8_0 : DType::kF16;
    const auto stored = std::make_shared<std::vector<std::byte>>(
        static_cast<std::size_t>(size_bytes(dtype, weight.elements())));
    encode_row(dtype, weight.f32(), stored->data(), weight.elements());
    decode_row(dtype, stored->data(), weight.f32(), weight.elements());
    give_weight(*to[i],
                Tensor(backend_->allocator(), dtype, weight.shape,
                       {Category::kWeights, to[i]->layer, "weight"}, stored->data(), stored));
  }
  EXPECT_GT(backend_->ledger().live().mapped_bytes, 0);
  const std::vector<float> want = logits_by(*backend_, dense, config, kTokens);
  expect_near(logits_by(*backend_, packed, config, kTokens), want, 3e-5f);
  expect_near(logits_by(*backend_, packed, config, 1), want, 3e-5f);
}

TEST_P(Inference, TheCacheIsInTheLedger) {
  const ModelConfig config = small_model(true);
  const KvCache cache(*backend_, config, 100);
  const auto category = static_cast<std::size_t>(Category::kKvCache);
  EXPECT_EQ(backend_->ledger().live().by_category[category], 2 * 2 * 100 * 16 * 4);
}

INSTANTIATE_TEST_SUITE_P(, Inference, testing::Values("cpu_ref", "cpu"));

}  // namespace
}  // namespace lathe
