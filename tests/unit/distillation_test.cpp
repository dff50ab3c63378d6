// A model drawn towards a teacher: its gradient against finite differences, a teacher that is the
// model itself, and what is trained where the rest is frozen.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "engine/backend/sums.h"
#include "engine/base/rng.h"
#include "engine/nn/transformer.h"

namespace lathe {
namespace {

constexpr std::int64_t kVocab = 13;

using Gradients = std::map<std::string, std::vector<float>>;

class Distillation : public testing::Test {
 protected:
  Distillation() : backend_(std::move(*make_backend("cpu_ref", 1))) {
    Rng rng(5, 5);
    for (std::int64_t i = 0; i < shape_.tokens(); ++i) {
      ids_.push_back(static_cast<std::int32_t>(rng.next_below(kVocab)));
      targets_.push_back(i == 4 ? -1 : static_cast<std::int32_t>(rng.next_below(kVocab)));
    }
    student_ = model(8, 3, 3);
    teacher_ = model(12, 0, 4);
  }

  // rank 0: dense.
  std::unique_ptr<Transformer> model(std::int64_t dim, std::int64_t rank, std::uint64_t seed) {
    const ModelConfig config{.dim = dim,
                             .layers = 2,
                             .heads = 2,
                             .ff_dim = 12,
                             .vocab_size = kVocab,
                             .tied = rank == 0,
                             .init_std = 0.3,
                             .norm = NormKind::kLayer,
                             .bias = true,
                             .positions = PositionKind::kLearned,
                             .context = 6};
    std::vector<LinearPlan> plans = dense_plan(config);
    for (LinearPlan& plan : plans) {
      plan.storage = rank > 0 ? LinearStorage::kLowRank : LinearStorage::kDense;
      plan.rank = rank;
      plan.init = FactorInit::kScaledNormal;
    }
    auto made = std::make_unique<Transformer>(*backend_, config, plans);
    made->initialise(seed);
    return made;
  }

  // The summed loss of a pass; its gradients stay until the next.
  CrossEntropySums pass(const Teacher& teacher) {
    for (Parameter* parameter : student_->parameters()) {
      parameter->gradient.reset();
    }
    Tensor ids = workspace(*backend_, "t", "ids", Shape{2, 5}, DType::kI32);
    Tensor targets = workspace(*backend_, "t", "targets", Shape{2, 5}, DType::kI32);
    backend_->write(ids, ids_.data(), ids.ref().bytes());
    backend_->write(targets, targets_.data(), targets.ref().bytes());
    const Tensor sums = make_sums(*backend_, "t", "sums");
    student_->train(ids, targets, shape_, 3, 1.0f, sums, {}, teacher);
    return read_cross_entropy(*backend_, sums);
  }
  Gradients gradients() {
    Gradients all;
    for (Parameter* parameter : student_->parameters()) {
      if (parameter->gradient.defined()) {
        const float* values = parameter->gradient.ref().f32();
        all[parameter->name].assign(values, values + parameter->elements());
      }
    }
    return all;
  }

  BatchShape shape_{2, 5};
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Transformer> student_, teacher_;
  std::vector<std::int32_t> ids_, targets_;
};

TEST_F(Distillation, BackwardAgreesWithFiniteDifferences) {
  const Teacher teacher{teacher_.get(), 0.6f, 2.0f};
  pass(teacher);
  const Gradients got = gradients();
  for (Parameter* parameter : student_->parameters()) {
    float* weight = parameter->weight.ref().f32();
    const std::int64_t stride = std::max<std::int64_t>(1, parameter->elements() / 5);
    for (std::int64_t i = 0; i < parameter->elements(); i += stride) {
      const float kept = weight[i];
      const float step = 1e-2f;
      weight[i] = kept + step;
      const double above = pass(teacher).loss;
      weight[i] = kept - step;
      const double below = pass(teacher).loss;
      weight[i] = kept;
      const double expected = (above - below) / (2.0 * static_cast<double>(step));
      EXPECT_NEAR(got.at(parameter->name)[static_cast<std::size_t>(i)], expected,
                  2e-2 * std::max(1.0, std::abs(expected)))
          << parameter->name << " element " << i;
    }
  }
  EXPECT_EQ(backend_->ledger().live().by_category[int(Category::kActivations)], 0);
}

TEST_F(Distillation, ATeacherThatAgreesLeavesTheShareOfTheData) {
  const CrossEntropySums alone = pass({});
  const Gradients data = gradients();
  const CrossEntropySums mixed = pass({student_.get(), 0.75f, 3.0f});
  EXPECT_NEAR(mixed.loss, 0.25 * alone.loss, 1e-6 * alone.loss);
  EXPECT_EQ(mixed.correct, alone.correct);
  EXPECT_EQ(mixed.counted, alone.counted);
  for (const auto& [name, values] : gradients()) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(values[i], 0.25f * data.at(name)[i], 1e-5f) << name;
    }
  }
}

TEST_F(Distillation, FrozenParametersTakeNoGradient) {
  const Teacher teacher{teacher_.get(), 0.5f, 1.0f};
  pass(teacher);
  const Gradients all = gradients();
  for (Parameter* parameter : student_->parameters()) {
    parameter->frozen = parameter->role != ParameterRole::kFactorB;
  }
  pass(teacher);
  const Gradients some = gradients();
  EXPECT_EQ(some.size(), 2u * 7u);
  for (const auto& [name, values] : some) {
    EXPECT_TRUE(name.ends_with(".b")) << name;
    EXPECT_EQ(values, all.at(name)) << name;
  }
}

}  // namespace
}  // namespace lathe
