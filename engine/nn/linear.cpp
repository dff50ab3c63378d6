// Forward and hand-written backward of linear slots.
#include "engine/nn/linear.h"

#include <algorithm>
#include <cmath>

#include "engine/nn/factor_init.h"
#include "engine/nn/weight_product.h"

namespace lathe {
namespace {

// Directions have streams of their own beside those of their slots' adapters.
constexpr std::uint64_t kDirectionStreams = std::uint64_t{1} << 50;
// Beside those of x, of what reads y0.
constexpr std::uint64_t kOutputStreams = std::uint64_t{1} << 51;

// Standard deviation of each of two normal factors.
double normal_factor_std(const LinearPlan& plan) {
  const auto rank = static_cast<double>(plan.rank);
  if (plan.init == FactorInit::kCola) {  // r^-1/4 (m + n)^-1/4
    return std::pow(rank * static_cast<double>(plan.in + plan.out), -0.25);
  }
  // What makes (B A)_ij ~ init_std^2: rank * s^4 = std^2.
  return std::sqrt(plan.init_std / std::sqrt(rank));
}

}  // namespace

Linear::Linear(Backend& backend, const LinearPlan& plan) : backend_(&backend), plan_(plan) {
  const auto add_matrix = [&](const char* leaf, Shape shape,
                              ParameterRole role = ParameterRole::kOther) {
    weights_.push_back(plan.given
                           ? make_frozen_parameter(plan.name, leaf, shape)
                           : make_parameter(backend, plan.name, leaf, shape, true, plan.dtype));
    weights_.back().role = role;
  };
  if (plan.storage == LinearStorage::kDense) {
    add_matrix("weight", Shape{plan.out, plan.in});
  } else {
    add_matrix("a", Shape{plan.rank, plan.in}, ParameterRole::kFactorA);
    add_matrix("b", Shape{plan.out, plan.rank}, ParameterRole::kFactorB);
  }
  if (plan.bias) {
    bias_ = std::make_unique<Parameter>(
        make_parameter(backend, plan.name, "bias", Shape{plan.out}, false));
  }
  if (plan.palette.any()) {
    CHECK(!plan.given && !plan.adapter.any(), "a weight that is read through a palette is trained");
    for (const Parameter& weight : weights_) {
      const std::string leaf = weight.name.substr(plan.name.size() + 1);
      palettes_.push_back(
          std::make_unique<Palette>(backend, plan.name, leaf, plan.palette, weight.shape));
    }
  }
  if (!plan.adapter.any()) {
    if (plan.galore.rank > 0) {
      CHECK(plan.storage == LinearStorage::kDense, "a gradient that is projected is of a matrix");
      projection_ =
          std::make_unique<GradientProjection>(backend, plan.name, plan.galore, weights_[0].shape);
      weights_[0].projection = projection_.get();
    }
    if (plan.subtokens.groups > 0) {
      subtokens_ = std::make_unique<Subtokens>(backend, plan.name, plan.subtokens, plan.in);
      weights_[0].direction = plan.subtokens.factored ? subtokens_->direction() : TensorRef{};
    }
    return;
  }
  if (plan.adapter.scale_shift) {
    scale_shift_ = std::make_unique<ScaleShift>(backend, plan);
  } else {
    adapter_ = std::make_unique<Adapter>(backend, plan);
  }
  if (plan.adapter.output_rank > 0) {
    output_adapter_ = std::make_unique<Adapter>(backend, output_adapter(plan));
  }
  for (Parameter& weight : weights_) {
    weight.frozen = true;
  }
  if (bias_ != nullptr) {
    bias_->frozen = true;
  }
}

void Linear::begin_directions(std::uint64_t seed, std::uint64_t stream) {
  std::vector<Subtokens*> all;
  append_subtokens(all);
  for (Subtokens* own : all) {
    own->begin(seed, stream + kDirectionStreams);
    stream += kOutputStreams;
  }
}

void Linear::start_adapter(std::uint64_t seed, std::uint64_t stream, std::uint64_t cycle) {
  if (cycle == 0) {
    begin_directions(seed, stream);
    if (scale_shift_ != nullptr) {
      scale_shift_->begin();
    }
    if (output_adapter_ != nullptr) {
      output_adapter_->begin(seed, stream + kOutputStreams);
    }
  }
  if (adapter_ == nullptr || (cycle > 0 && output_adapter_ != nullptr)) {
    return;
  }
  CHECK(!plan_.adapter.changes_weight() || plan_.storage == LinearStorage::kDense,
        "an adapter that changes its weight has a dense one");
  if (cycle > 0) {
    adapter_->restart(weights_[0], seed, stream);
  } else if (plan_.adapter.init == AdapterInit::kPissa) {
    adapter_->take_leading(weights_[0]);
  } else {
    adapter_->begin(seed, stream);
  }
}

void Linear::initialise(std::uint64_t seed, std::uint64_t stream) {
  CHECK(!plan_.given, "a weight that is given is not drawn");
  if (bias_ != nullptr) {
    ops::fill(*backend_, {.out = bias_->weight, .value = 0.0f});
  }
  const auto std_dev = static_cast<float>(plan_.init_std);
  if (plan_.storage == LinearStorage::kDense) {
    draw_values(*backend_, weights_[0],
                {.out = {}, .seed = seed, .stream = stream, .stddev = std_dev});
  } else if (plan_.init == FactorInit::kSpectral) {
    initialise_spectral(seed, stream);
  } else {
    const auto factor_std = static_cast<float>(normal_factor_std(plan_));
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      draw_values(*backend_, weights_[i],
                  {.out = {}, .seed = seed, .stream = 2 * stream + i, .stddev = factor_std});
    }
  }
}

void Linear::initialise_spectral(std::uint64_t seed, std::uint64_t stream) {
  if (!backend_->computes()) {
    return;
  }
  const FactorPair factors =
      spectral_factors(plan_.out, plan_.in, plan_.rank, plan_.init_std, seed, stream);
  set_values(*backend_, weights_[0], factors.a.data());
  set_values(*backend_, weights_[1], factors.b.data());
}

void Linear::forward(TensorRef x, TensorRef y, LinearSaved* saved) {
  if (saved == nullptr && plan_.storage == LinearStorage::kLowRank && groups(x)) {
    forward_together(x, {{this, y}});
    return;
  }
  multiply(x, y, saved);
  if (saved != nullptr && subtokens_ != nullptr && !weights_[0].frozen) {
    saved->subtokens = subtokens_->project(x, saved->again);
  }
  adapt(x, y, saved);
}

bool Linear::keeps_made() const {
  const Subtokens* own = output_adapter_ != nullptr ? output_adapter_->subtokens()
                         : scale_shift_ != nullptr  ? scale_shift_->subtokens()
                                                    : nullptr;
  return (output_adapter_ != nullptr || scale_shift_ != nullptr) &&
         (own == nullptr || own->probed());
}

// Rounded before it is used, as all that is kept.
Tensor Linear::kept_made(TensorRef y) {
  const Shape shape{y.rows(), y.cols()};
  Tensor made = activation(*backend_, plan_.name, "made", shape, kept_type_);
  if (kept_type_ == DType::kF32) {
    ops::copy(*backend_, {.from = y, .to = made});
  } else {
    ops::to_bf16(*backend_, {.x = y.reshaped(shape), .bits = made});
  }
  return made;
}

void Linear::adapt(TensorRef x, TensorRef y, LinearSaved* saved) {
  const bool keeps = saved != nullptr;
  const bool again = keeps && saved->again;
  if (keeps && keeps_made()) {
    saved->made = kept_made(y);
  }
  if (scale_shift_ != nullptr) {
    Tensor subtokens = scale_shift_->forward(y, keeps, again);
    if (keeps) {
      saved->subtokens = std::move(subtokens);
    }
  }
  if (output_adapter_ != nullptr) {
    output_adapter_->forward(y, y, keeps ? &saved->output_adapted : nullptr, again);
  }
  if (adapter_ != nullptr) {
    adapter_->forward(x, y, keeps ? &saved->adapted : nullptr, again);
  }
}

void Linear::keep_activations(DType type) {
  kept_type_ = type;
  std::vector<Subtokens*> all;
  append_subtokens(all);
  for (Subtokens* own : all) {
    own->keep_as(type);
  }
}

void Linear::append_subtokens(std::vector<Subtokens*>& out) const {
  for (Subtokens* own :
       {subtokens(), output_adapter_ != nullptr ? output_adapter_->subtokens() : nullptr,
        scale_shift_ != nullptr ? scale_shift_->subtokens() : nullptr}) {
    if (own != nullptr) {
      out.push_back(own);
    }
  }
}

Subtokens* Linear::subtokens() const {
  return adapter_ != nullptr ? adapter_->subtokens() : subtokens_.get();
}

bool Linear::needs_input() const {
  const bool trained = adapter_ != nullptr || !weights_[0].frozen;
  const Subtokens* own = subtokens();
  return trained && (own == nullptr || own->probed());
}

bool Linear::any_needs_input(std::initializer_list<const Linear*> slots) {
  return std::any_of(slots.begin(), slots.end(),
                     [](const Linear* slot) { return slot != nullptr && slot->needs_input(); });
}

Linear::Read Linear::read(std::size_t index) {
  const TensorRef weight = weights_[index].weight;
  if (palettes_.empty() || !palettes_[index]->begun()) {
    return {.made = {}, .weight = weight};
  }
  Tensor made = palettes_[index]->weights(weight);
  const TensorRef ref = made;
  return {.made = std::move(made), .weight = ref};
}

void Linear::multiply(TensorRef x, TensorRef y, LinearSaved* saved) {
  const TensorRef bias = bias_ != nullptr ? bias_->weight.ref() : TensorRef{};
  if (plan_.storage != LinearStorage::kLowRank) {
    multiply_forward(*backend_, plan_.name, x, read(0).weight, y, bias, plan_.int8_threshold);
    return;
  }
  const Shape hidden_shape{x.rows(), plan_.rank};
  Tensor hidden = saved != nullptr ? activation(*backend_, plan_.name, "hidden", hidden_shape)
                                   : workspace(*backend_, plan_.name, "hidden", hidden_shape);
  multiply_forward(*backend_, plan_.name, x, read(0).weight, hidden, {}, plan_.int8_threshold);
  if (plan_.between == Activation::kNone) {
    multiply_forward(*backend_, plan_.name, hidden, read(1).weight, y, bias, plan_.int8_threshold);
  } else {
    Tensor bent = workspace(*backend_, plan_.name, "activated", hidden_shape);
    ops::activation_forward(*backend_, {.x = hidden, .y = bent, .kind = plan_.between});
    multiply_forward(*backend_, plan_.name, bent, read(1).weight, y, bias, plan_.int8_threshold);
  }
  if (saved != nullptr) {
    saved->hidden = std::move(hidden);
  }
}

Tensor Linear::made_backward(TensorRef dy, LinearSaved& saved) {
  if (scale_shift_ == nullptr && output_adapter_ == nullptr) {
    return {};
  }
  const Shape shape{dy.rows(), dy.cols()};
  Tensor dmade = workspace(*backend_, plan_.name, "dmade", shape);
  Tensor made = std::move(saved.made);
  if (made.defined() && made.dtype() == DType::kBf16) {
    Tensor floats = workspace(*backend_, plan_.name, "made", shape);
    ops::from_bf16(*backend_, {.bits = made, .x = floats});
    made = std::move(floats);
  }
  if (scale_shift_ != nullptr) {
    scale_shift_->backward(made, dy, dmade, std::move(saved.subtokens));
  } else {
    ops::copy(*backend_, {.from = dy, .to = dmade});
    output_adapter_->backward(made, dy, dmade, std::move(saved.output_adapted));
  }
  return dmade;
}

void Linear::backward(TensorRef x, TensorRef dy, TensorRef dx, float dx_beta, LinearSaved saved) {
  AdapterSaved adapted = std::move(saved.adapted);
  Tensor dmade = made_backward(dy, saved);
  const TensorRef own = dmade.defined() ? dmade.ref() : dy;
  if (plan_.storage == LinearStorage::kLowRank) {
    backward_low_rank(x, own, dx, dx_beta, std::move(saved));
  } else {
    add_input_gradient(own, x, std::move(saved.subtokens), trained_bias());
    if (projection_ != nullptr && projection_->per_layer()) {
      projection_->take_gradient(weights_[0]);
    }
    multiply_backward(*backend_, plan_.name, own, read(0).weight, dx, dx_beta);
  }
  dmade.reset();
  if (adapter_ != nullptr) {
    adapter_->backward(x, dy, dx, std::move(adapted));
  }
}

void Linear::backward_low_rank(TensorRef x, TensorRef dy, TensorRef dx, float dx_beta,
                               LinearSaved saved) {
  Tensor dhidden = workspace(*backend_, plan_.name, "dhidden", saved.hidden.shape());
  multiply_backward(*backend_, plan_.name, dy, read(1).weight, dhidden, 0.0f);
  if (plan_.between == Activation::kNone) {
    add_weight_gradient(weights_[1], dy, saved.hidden, trained_bias());
  } else {
    Tensor bent = workspace(*backend_, plan_.name, "activated", saved.hidden.shape());
    ops::activation_forward(*backend_, {.x = saved.hidden, .y = bent, .kind = plan_.between});
    add_weight_gradient(weights_[1], dy, bent, trained_bias());
    ops::activation_backward(
        *backend_, {.x = saved.hidden, .dy = dhidden, .dx = dhidden, .kind = plan_.between});
  }
  saved.hidden.reset();
  add_input_gradient(dhidden, x, std::move(saved.subtokens));
  multiply_backward(*backend_, plan_.name, dhidden, read(0).weight, dx, dx_beta);
}

void Linear::add_weight_gradient(Parameter& weight, TensorRef dy, TensorRef x, Parameter* bias) {
  // In one product, unless one of the two gradients is fresh and the other is added to.
  const bool together =
      bias != nullptr && !weight.frozen && bias->gradient.defined() == weight.gradient.defined();
  if (bias != nullptr && !together) {
    ops::bias_backward(*backend_, {.dy = dy, .dbias = accumulating_gradient(*backend_, *bias)});
  }
  if (weight.frozen) {
    return;
  }
  const GradientSlot dw = gradient_slot(*backend_, weight);
  const TensorRef dbias = together ? gradient_slot(*backend_, *bias).gradient : TensorRef{};
  ops::matmul(
      *backend_,
      {.a = dy, .b = x, .c = dw.gradient, .transpose_a = true, .beta = dw.beta, .a_sums = dbias});
}

void Linear::add_input_gradient(TensorRef dy, TensorRef x, Tensor subtokens, Parameter* bias) {
  if (!subtokens.defined()) {
    add_weight_gradient(weights_[0], dy, x, bias);
    return;
  }
  if (bias != nullptr) {
    ops::bias_backward(*backend_, {.dy = dy, .dbias = accumulating_gradient(*backend_, *bias)});
  }
  subtokens_->add_gradient(weights_[0], dy, std::move(subtokens), x);
}

void Linear::append_palettes(std::vector<Palettised>& out) {
  for (std::size_t i = 0; i < palettes_.size(); ++i) {
    out.push_back({&weights_[i], palettes_[i].get()});
  }
}

void Linear::append_parameters(std::vector<Parameter*>& out) {
  for (Parameter& weight : weights_) {
    out.push_back(&weight);
  }
  if (bias_ != nullptr) {
    out.push_back(bias_.get());
  }
  if (adapter_ != nullptr) {
    adapter_->append_parameters(out);
  }
  if (output_adapter_ != nullptr) {
    output_adapter_->append_parameters(out);
  }
  if (scale_shift_ != nullptr) {
    scale_shift_->append_parameters(out);
  }
}

}  // namespace lathe
