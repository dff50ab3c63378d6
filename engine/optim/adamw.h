// AdamW over a list of parameters, with global-norm clipping (Loshchilov & Hutter 2019; Pascanu et
// al. 2013). Moments live in the ledger's optimizer category.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/nn/parameter.h"
#include "engine/optim/optim_config.h"

namespace lathe {

// The learning rate of optimizer step `step` (1 for the first) of `steps`: a linear rise over the
// warm-up, then cosine or linear down to min_lr_ratio * peak at the last step, or constant.
double learning_rate(const OptimConfig& config, double peak, std::int64_t step, std::int64_t steps);

class AdamW {
 public:
  // The moments start at zero.
  AdamW(Backend& backend, std::vector<Parameter*> parameters);

  // The global norm of all gradients.
  double gradient_norm();

  // One update; gradients are multiplied by grad_scale first. `step` counts from 1.
  void step(const OptimConfig& config, double lr, double grad_scale, std::int64_t step);

  // Gives the gradients' memory back.
  void drop_gradients();

  const std::vector<Parameter*>& parameters() const { return parameters_; }
  // First and second moment of parameter i.
  TensorRef first_moment(std::size_t i) const { return first_[i]; }
  TensorRef second_moment(std::size_t i) const { return second_[i]; }

 private:
  Backend* backend_;
  std::vector<Parameter*> parameters_;
  std::vector<Tensor> first_;
  std::vector<Tensor> second_;
};

}  // namespace lathe
