// AdamW, clipping and the schedule.
#include "engine/optim/adamw.h"

#include <cmath>
#include <numbers>

#include "engine/optim/projected_step.h"

namespace lathe {
namespace {

AdamwStepArgs numbers_of(const OptimConfig& config, double lr, std::int64_t step) {
  AdamwStepArgs args;
  args.lr = static_cast<float>(lr);
  args.beta1 = static_cast<float>(config.beta1);
  args.beta2 = static_cast<float>(config.beta2);
  args.eps = static_cast<float>(config.eps);
  args.weight_decay = static_cast<float>(config.weight_decay);
  args.clip_norm = config.clip_norm;
  args.step = step;
  return args;
}

// What the optimizer is given of a parameter's gradient by backward.
TensorRef gradient_of(const Parameter& parameter) {
  const GradientProjection* projection = parameter.projection;
  return projection != nullptr && projection->per_layer() ? projection->gradient()
                                                          : parameter.gradient.ref();
}

Shape moment_shape(const Parameter& parameter) {
  if (parameter.projection != nullptr) {
    return parameter.projection->projected_shape();
  }
  return parameter.direction.defined() ? parameter.gradient_shape() : parameter.weight.shape();
}

}  // namespace

double learning_rate(const OptimConfig& config, double peak, std::int64_t step,
                     std::int64_t steps) {
  if (step <= config.warmup_steps) {
    return peak * static_cast<double>(step) / static_cast<double>(config.warmup_steps);
  }
  const double after = static_cast<double>(step - config.warmup_steps);
  const double whole = static_cast<double>(std::max<std::int64_t>(1, steps - config.warmup_steps));
  const double progress = std::min(1.0, after / whole);
  double share = 1.0;
  switch (config.schedule) {
    case ScheduleKind::kCosine:
      share = 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
      break;
    case ScheduleKind::kLinear:
      share = 1.0 - progress;
      break;
    case ScheduleKind::kConstant:
      return peak;
  }
  return peak * (config.min_lr_ratio + (1.0 - config.min_lr_ratio) * share);
}

AdamW::AdamW(Backend& backend, std::vector<Parameter*> parameters, std::uint64_t seed, bool masters,
             MomentStore moments)
    : backend_(&backend), parameters_(std::move(parameters)), seed_(seed) {
  for (Parameter* parameter : parameters_) {
    if (masters && parameter->weight.dtype() == DType::kBf16) {
      const Tag tag{Category::kOptimizer, parameter->layer, "master"};
      parameter->master = Tensor(backend.allocator(), DType::kF32, parameter->shape, tag);
    }
    first_.push_back(zero_moment(*parameter, moments, DynamicMap::kSigned));
    second_.push_back(zero_moment(*parameter, moments, DynamicMap::kUnsigned));
  }
}

AdamW::Moment AdamW::zero_moment(const Parameter& parameter, MomentStore store, DynamicMap map) {
  const Shape shape = moment_shape(parameter);
  const std::int64_t elements = shape.elements();
  const bool coded = store == MomentStore::k8Bit && elements >= kLeastCodedElements &&
                     parameter.role != ParameterRole::kTable && !parameter.direction.defined();
  const Tag tag{Category::kOptimizer, parameter.layer, "moment"};
  Moment moment{Tensor(backend_->allocator(), coded ? DType::kU8 : DType::kF32, shape, tag), {}};
  if (!coded) {
    ops::fill(*backend_, {.out = moment.values, .value = 0.0f});
    return moment;
  }
  if (backend_->computes()) {
    const std::vector<std::uint8_t> zeros(static_cast<std::size_t>(elements),
                                          static_cast<std::uint8_t>(zero_code(map)));
    backend_->write(moment.values, zeros.data(), elements);
  }
  moment.absmax = Tensor(backend_->allocator(), DType::kF32, Shape{blocks_of_moment(elements)},
                         {Category::kOptimizer, parameter.layer, "absmax"});
  ops::fill(*backend_, {.out = moment.absmax, .value = 0.0f});
  return moment;
}

void AdamW::measure(TensorRef squares, TensorRef total) {
  std::vector<TensorRef> gradients;
  for (const Parameter* parameter : parameters_) {
    gradients.push_back(gradient_of(*parameter));
  }
  ops::sum_squares(*backend_, {.x = gradients, .sums = squares, .total = total});
}

UpdateValues AdamW::values(const OptimConfig& config, double lr, std::int64_t step) const {
  return update_values(numbers_of(config, lr, step));
}

void AdamW::step(const OptimConfig& config, double lr, std::int64_t step, const UpdateSums& sums) {
  std::vector<AdamwTensor> tensors;
  std::vector<SubtokenTensor> cut;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = *parameters_[i];
    if (parameter.projection != nullptr) {
      continue;
    }
    if (parameter.direction.defined()) {
      cut.push_back({.weight = parameter.weight,
                     .gradient = parameter.gradient,
                     .m = first_[i].values,
                     .v = second_[i].values,
                     .direction = parameter.direction,
                     .decays = parameter.decays});
      continue;
    }
    tensors.push_back({.weight = parameter.weight,
                       .gradient = parameter.gradient,
                       .m = first_[i].ref(),
                       .v = second_[i].ref(),
                       .master = parameter.master,
                       .decays = parameter.decays});
  }
  AdamwStepArgs args = numbers_of(config, lr, step);
  args.tensors = tensors;
  args.squares = sums.squares;
  args.loss = sums.loss;
  args.refused = sums.refused;
  args.values = sums.values;
  args.seed = seed_;
  ops::adamw_step(*backend_, args);
  if (!cut.empty()) {
    args.tensors = {};
    ops::adamw_subtoken_step(*backend_, {.tensors = cut, .by = args});
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i]->projection != nullptr) {
      projected_step(*backend_, *parameters_[i], first_[i].ref(), second_[i].ref(), args);
    }
  }
}

void AdamW::drop_gradients() {
  for (Parameter* parameter : parameters_) {
    parameter->gradient.reset();
    if (parameter->projection != nullptr) {
      parameter->projection->drop_gradient();
    }
  }
}

}  // namespace lathe
