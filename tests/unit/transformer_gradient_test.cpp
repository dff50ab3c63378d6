// The whole model's hand-written backward against finite differences on the double-accumulating
// reference back end, for every shape of block that the config allows.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/sums.h"
#include "engine/base/rng.h"
#include "engine/nn/transformer.h"

namespace lathe {
namespace {

struct Case {
  const char* name;
  std::int64_t kv_heads = 0;
  bool tied = true;
  LinearStorage storage = LinearStorage::kDense;
  Activation between = Activation::kNone;
  // The family of models: what differs from LLaMA's.
  void (*family)(ModelConfig&) = [](ModelConfig&) {};
  std::int64_t adapter_rank = 0;
  std::int64_t output_rank = 0;
  bool scale_shift = false;
};

void gpt2(ModelConfig& model) {
  model.norm = NormKind::kLayer;
  model.positions = PositionKind::kLearned;
  model.context = 6;
  model.mlp = MlpKind::kGeluTanh;
  model.bias = true;
}

void mistral(ModelConfig& model) {
  model.window = 3;
  model.head_width = 6;
}

void llama3(ModelConfig& model) {
  model.rope_pairs = RopePairs::kInterleaved;
  model.rope_scaling = RopeScalingKind::kLlama3;
  model.rope_factor = 8;
  model.rope_original_context = 16;
}

template <ImagePool kPool>
void vit(ModelConfig& model) {
  gpt2(model);
  model.context = 0;
  model.mlp = MlpKind::kGelu;
  model.image = {.size = 4, .channels = 2, .patch_size = 2, .classes = 13, .pool = kPool};
}

class GradientTest : public testing::TestWithParam<Case> {
 protected:
  static constexpr std::int64_t kVocab = 13;

  GradientTest() {
    backend_ = std::move(*make_backend("cpu_ref", 1));
    const Case& c = GetParam();
    model_config_ = {.dim = 8,
                     .layers = 2,
                     .heads = 2,
                     .kv_heads = c.kv_heads,
                     .ff_dim = 12,
                     .vocab_size = kVocab,
                     .tied = c.tied,
                     .init_std = 0.3};
    c.family(model_config_);
    EXPECT_TRUE(config_errors(model_config_).empty());
    std::vector<LinearPlan> plans = dense_plan(model_config_);
    for (LinearPlan& plan : plans) {
      plan.storage = c.storage;
      plan.rank = c.storage == LinearStorage::kLowRank ? 3 : 0;
      plan.between = c.between;
      plan.init = FactorInit::kScaledNormal;
      plan.adapter = {.rank = c.adapter_rank,
                      .output_rank = c.output_rank,
                      .scale_shift = c.scale_shift,
                      .scale = 1.5,
                      .rest_trained = true};
    }
    model_ = std::make_unique<Transformer>(*backend_, model_config_, plans);
    model_->initialise(3);
    model_->start_adapters(3, 0);
    // Biases and adapters begin as zero and gains as one, where a mistake could hide.
    for (Parameter* parameter : model_->parameters()) {
      const bool adapter = parameter->role == ParameterRole::kAdapter;
      if (parameter->weight.shape().rank() == 1 || adapter) {
        ops::random_fill(*backend_, {.out = parameter->weight,
                                     .seed = 4,
                                     .stream = stream_++,
                                     .mean = adapter ? 0.0f : 0.7f,
                                     .stddev = 0.3f});
      }
    }
    Rng rng(5, 5);
    if (model_config_.images()) {
      shape_.seq_len = model_config_.image.tokens();
      for (std::int64_t i = 0; i < 2 * 4 * 8; ++i) {
        patches_.push_back(static_cast<float>(2.0 * rng.next_unit() - 1.0));
      }
      targets_ = {3, 8};
      return;
    }
    for (std::int64_t i = 0; i < shape_.tokens(); ++i) {
      ids_.push_back(static_cast<std::int32_t>(rng.next_below(kVocab)));
      targets_.push_back(i == 4 ? -1 : static_cast<std::int32_t>(rng.next_below(kVocab)));
    }
  }

  // The summed loss; with gradients if `train`.
  double loss(bool train) {
    const bool images = model_config_.images();
    Tensor ids = images ? workspace(*backend_, "t", "patches", Shape{8, 8})
                        : workspace(*backend_, "t", "ids", Shape{2, 5}, DType::kI32);
    Tensor targets =
        workspace(*backend_, "t", "targets", images ? Shape{2} : Shape{2, 5}, DType::kI32);
    backend_->write(ids, images ? static_cast<void*>(patches_.data()) : ids_.data(),
                    ids.ref().bytes());
    backend_->write(targets, targets_.data(), targets.ref().bytes());
    const Tensor sums = make_sums(*backend_, "t", "sums");
    if (train) {
      model_->train(ids, targets, shape_, 3, 1.0f, sums);
    } else {
      model_->evaluate(ids, targets, shape_, 4, sums);
    }
    return read_cross_entropy(*backend_, sums).loss;
  }

  std::vector<Parameter*> trained_parameters() {
    std::vector<Parameter*> all = model_->parameters();
    std::erase_if(all, [](const Parameter* parameter) { return parameter->frozen; });
    return all;
  }

  BatchShape shape_{2, 5};
  std::uint64_t stream_ = 100;
  ModelConfig model_config_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Transformer> model_;
  std::vector<std::int32_t> ids_;
  std::vector<float> patches_;  // in place of ids
  std::vector<std::int32_t> targets_;
};

TEST_P(GradientTest, BackwardAgreesWithFiniteDifferences) {
  const double trained = loss(true);
  EXPECT_NEAR(trained, loss(false), 1e-4) << "training and evaluation compute the same loss";
  for (Parameter* parameter : trained_parameters()) {
    float* weight = parameter->weight.ref().f32();
    const float* gradient = parameter->gradient.ref().f32();
    const std::int64_t stride = std::max<std::int64_t>(1, parameter->elements() / 7);
    for (std::int64_t i = 0; i < parameter->elements(); i += stride) {
      const float kept = weight[i];
      const float step = 1e-2f;
      weight[i] = kept + step;
      const double above = loss(false);
      weight[i] = kept - step;
      const double below = loss(false);
      weight[i] = kept;
      const double expected = (above - below) / (2.0 * static_cast<double>(step));
      EXPECT_NEAR(gradient[i], expected, 2e-2 * std::max(1.0, std::abs(expected)))
          << parameter->name << " element " << i;
    }
  }
}

TEST_P(GradientTest, GradientsAccumulateOverMicroBatches) {
  loss(true);
  std::vector<float> once;
  for (Parameter* parameter : trained_parameters()) {
    const float* gradient = parameter->gradient.ref().f32();
    once.insert(once.end(), gradient, gradient + parameter->elements());
  }
  loss(true);
  std::size_t at = 0;
  for (Parameter* parameter : trained_parameters()) {
    for (std::int64_t i = 0; i < parameter->elements(); ++i, ++at) {
      const float doubled = 2.0f * once[at];
      ASSERT_NEAR(parameter->gradient.ref().f32()[i], doubled, 1e-4f * (1.0f + std::abs(doubled)))
          << parameter->name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, GradientTest,
    testing::Values(
        Case{"dense"}, Case{.name = "grouped", .kv_heads = 1},
        Case{.name = "untied", .tied = false}, Case{.name = "gpt2", .family = gpt2},
        Case{.name = "starcoder", .kv_heads = 1, .family = gpt2},
        Case{.name = "vit", .family = vit<ImagePool::kClassToken>},
        Case{.name = "vit_mean", .family = vit<ImagePool::kMean>},
        Case{.name = "low_rank_vit",
             .storage = LinearStorage::kLowRank,
             .family = vit<ImagePool::kClassToken>},
        Case{.name = "erf_gelu",
             .tied = false,
             .family =
                 [](ModelConfig& model) {
                   model.mlp = MlpKind::kGelu;
                   model.bias = true;
                 }},
        Case{.name = "mistral", .kv_heads = 1, .family = mistral},
        Case{.name = "llama3", .kv_heads = 1, .family = llama3},
        Case{.name = "low_rank_gpt2", .storage = LinearStorage::kLowRank, .family = gpt2},
        Case{.name = "low_rank", .storage = LinearStorage::kLowRank},
        Case{.name = "adapters", .kv_heads = 1, .adapter_rank = 2},
        Case{.name = "hydra", .kv_heads = 1, .adapter_rank = 2, .output_rank = 3},
        Case{.name = "low_rank_hydra_vit",
             .storage = LinearStorage::kLowRank,
             .family = vit<ImagePool::kClassToken>,
             .adapter_rank = 2,
             .output_rank = 1},
        Case{.name = "scale_shift", .kv_heads = 1, .scale_shift = true},
        Case{.name = "low_rank_scale_shift_vit",
             .storage = LinearStorage::kLowRank,
             .family = vit<ImagePool::kClassToken>,
             .scale_shift = true},
        Case{.name = "low_rank_adapters",
             .storage = LinearStorage::kLowRank,
             .family = gpt2,
             .adapter_rank = 2},
        Case{.name = "low_rank_gelu",
             .storage = LinearStorage::kLowRank,
             .between = Activation::kGelu},
        Case{.name = "low_rank_tanh",
             .tied = false,
             .storage = LinearStorage::kLowRank,
             .between = Activation::kTanh}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace lathe
