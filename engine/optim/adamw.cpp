// AdamW, clipping and the schedule.
#include "engine/optim/adamw.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace lathe {

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

AdamW::AdamW(Backend& backend, std::vector<Parameter*> parameters)
    : backend_(&backend), parameters_(std::move(parameters)) {
  for (const Parameter* parameter : parameters_) {
    for (auto* moments : {&first_, &second_}) {
      const Tag tag{Category::kOptimizer, parameter->layer, "moment"};
      moments->emplace_back(backend.allocator(), DType::kF32, parameter->weight.shape(), tag);
      ops::fill(backend, {.out = moments->back(), .value = 0.0f});
    }
  }
}

double AdamW::gradient_norm() {
  std::vector<double> squares(parameters_.size());
  const ResultScope scope(*backend_);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    ops::sum_squares(*backend_, {.x = parameters_[i]->gradient, .result = &squares[i]});
  }
  backend_->synchronize();
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

void AdamW::step(const OptimConfig& config, double lr, double grad_scale, std::int64_t step) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = *parameters_[i];
    ops::adamw_step(
        *backend_,
        {.weight = parameter.weight,
         .gradient = parameter.gradient,
         .m = first_[i],
         .v = second_[i],
         .lr = static_cast<float>(lr),
         .beta1 = static_cast<float>(config.beta1),
         .beta2 = static_cast<float>(config.beta2),
         .eps = static_cast<float>(config.eps),
         .weight_decay = parameter.decays ? static_cast<float>(config.weight_decay) : 0.0f,
         .grad_scale = static_cast<float>(grad_scale),
         .step = step});
  }
}

void AdamW::drop_gradients() {
  for (Parameter* parameter : parameters_) {
    parameter->gradient.reset();
  }
}

}  // namespace lathe
