// Forward and hand-written backward of linear slots.
#include "engine/nn/linear.h"

#include <cmath>

#include "engine/nn/factor_init.h"
#include "engine/nn/weight_product.h"

namespace lathe {

Linear::Linear(Backend& backend, const LinearPlan& plan) : backend_(&backend), plan_(plan) {
  if (plan.storage == LinearStorage::kPacked) {
    weights_.push_back(make_frozen_parameter(plan.name, "weight", Shape{plan.out, plan.in}));
  } else if (plan.storage == LinearStorage::kDense) {
    weights_.push_back(
        make_parameter(backend, plan.name, "weight", Shape{plan.out, plan.in}, true));
  } else {
    weights_.push_back(make_parameter(backend, plan.name, "a", Shape{plan.rank, plan.in}, true));
    weights_.push_back(make_parameter(backend, plan.name, "b", Shape{plan.out, plan.rank}, true));
  }
  if (plan.bias) {
    bias_ = std::make_unique<Parameter>(
        make_parameter(backend, plan.name, "bias", Shape{plan.out}, false));
  }
}

void Linear::initialise(std::uint64_t seed, std::uint64_t stream) {
  CHECK(plan_.storage != LinearStorage::kPacked, "a packed weight is given, not drawn");
  if (bias_ != nullptr) {
    ops::fill(*backend_, {.out = bias_->weight, .value = 0.0f});
  }
  const auto std_dev = static_cast<float>(plan_.init_std);
  if (plan_.storage == LinearStorage::kDense) {
    ops::random_fill(
        *backend_, {.out = weights_[0].weight, .seed = seed, .stream = stream, .stddev = std_dev});
  } else if (plan_.init == FactorInit::kSpectral) {
    initialise_spectral(seed, stream);
  } else {
    // Each factor's variance is the root of what makes (B A)_ij ~ init_std^2: rank * s^4 = std^2.
    const auto factor_std =
        static_cast<float>(std::sqrt(plan_.init_std / std::sqrt(static_cast<double>(plan_.rank))));
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      ops::random_fill(*backend_, {.out = weights_[i].weight,
                                   .seed = seed,
                                   .stream = 2 * stream + i,
                                   .stddev = factor_std});
    }
  }
}

void Linear::initialise_spectral(std::uint64_t seed, std::uint64_t stream) {
  if (!backend_->computes()) {
    return;
  }
  const FactorPair factors =
      spectral_factors(plan_.out, plan_.in, plan_.rank, plan_.init_std, seed, stream);
  backend_->write(weights_[0].weight, factors.a.data(), weights_[0].weight.ref().bytes());
  backend_->write(weights_[1].weight, factors.b.data(), weights_[1].weight.ref().bytes());
}

void Linear::forward(TensorRef x, TensorRef y, LinearSaved* saved) {
  multiply(x, y, saved);
  if (bias_ != nullptr) {
    ops::bias_add(*backend_, {.x = y, .bias = bias_->weight});
  }
}

void Linear::multiply(TensorRef x, TensorRef y, LinearSaved* saved) {
  if (plan_.storage != LinearStorage::kLowRank) {
    multiply_forward(*backend_, plan_.name, x, weights_[0].weight, y);
    return;
  }
  const Shape hidden_shape{x.rows(), plan_.rank};
  Tensor hidden = saved != nullptr ? activation(*backend_, plan_.name, "hidden", hidden_shape)
                                   : workspace(*backend_, plan_.name, "hidden", hidden_shape);
  ops::matmul(*backend_, {.a = x, .b = weights_[0].weight, .c = hidden, .transpose_b = true});
  if (plan_.between == Activation::kNone) {
    ops::matmul(*backend_, {.a = hidden, .b = weights_[1].weight, .c = y, .transpose_b = true});
  } else {
    Tensor bent = workspace(*backend_, plan_.name, "activated", hidden_shape);
    ops::activation_forward(*backend_, {.x = hidden, .y = bent, .kind = plan_.between});
    ops::matmul(*backend_, {.a = bent, .b = weights_[1].weight, .c = y, .transpose_b = true});
  }
  if (saved != nullptr) {
    saved->hidden = std::move(hidden);
  }
}

void Linear::backward(TensorRef x, TensorRef dy, TensorRef dx, float dx_beta, LinearSaved saved) {
  if (bias_ != nullptr) {
    ops::bias_backward(*backend_, {.dy = dy, .dbias = accumulating_gradient(*backend_, *bias_)});
  }
  if (plan_.storage == LinearStorage::kLowRank) {
    backward_low_rank(x, dy, dx, dx_beta, std::move(saved));
    return;
  }
  if (!weights_[0].frozen) {
    const GradientSlot dw = gradient_slot(*backend_, weights_[0]);
    ops::matmul(*backend_,
                {.a = dy, .b = x, .c = dw.gradient, .transpose_a = true, .beta = dw.beta});
  }
  multiply_backward(*backend_, plan_.name, dy, weights_[0].weight, dx, dx_beta);
}

void Linear::backward_low_rank(TensorRef x, TensorRef dy, TensorRef dx, float dx_beta,
                               LinearSaved saved) {
  const GradientSlot db = gradient_slot(*backend_, weights_[1]);
  Tensor dhidden = workspace(*backend_, plan_.name, "dhidden", saved.hidden.shape());
  ops::matmul(*backend_, {.a = dy, .b = weights_[1].weight, .c = dhidden});
  if (plan_.between == Activation::kNone) {
    ops::matmul(
        *backend_,
        {.a = dy, .b = saved.hidden, .c = db.gradient, .transpose_a = true, .beta = db.beta});
  } else {
    Tensor bent = workspace(*backend_, plan_.name, "activated", saved.hidden.shape());
    ops::activation_forward(*backend_, {.x = saved.hidden, .y = bent, .kind = plan_.between});
    ops::matmul(*backend_,
                {.a = dy, .b = bent, .c = db.gradient, .transpose_a = true, .beta = db.beta});
    ops::activation_backward(
        *backend_, {.x = saved.hidden, .dy = dhidden, .dx = dhidden, .kind = plan_.between});
  }
  saved.hidden.reset();
  const GradientSlot da = gradient_slot(*backend_, weights_[0]);
  ops::matmul(*backend_,
              {.a = dhidden, .b = x, .c = da.gradient, .transpose_a = true, .beta = da.beta});
  ops::matmul(*backend_, {.a = dhidden, .b = weights_[0].weight, .c = dx, .beta = dx_beta});
}

void Linear::append_parameters(std::vector<Parameter*>& out) {
  for (Parameter& weight : weights_) {
    out.push_back(&weight);
  }
  if (bias_ != nullptr) {
    out.push_back(bias_.get());
  }
}

}  // namespace lathe
