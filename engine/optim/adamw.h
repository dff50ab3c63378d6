// AdamW over a list of parameters, with global-norm clipping (Loshchilov & Hutter 2019; Pascanu et
// al. 2013), of gradients whole or as they are projected (projected_step.h). Moments, and masters
// of rounded weights, live in the ledger's optimizer category.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/backend/update_rule.h"
#include "engine/nn/parameter.h"
#include "engine/optim/optim_config.h"
#include "engine/quant/dynamic_map.h"

namespace lathe {

// The learning rate of optimizer step `step` (1 for the first) of `steps`: a linear rise over the
// warm-up, then cosine or linear down to min_lr_ratio * peak at the last step, or constant.
double learning_rate(const OptimConfig& config, double peak, std::int64_t step, std::int64_t steps);

// What an update hangs on, as AdamwStepArgs has it: f64 [1] each, on the device.
struct UpdateSums {
  TensorRef squares;  // of all gradients
  TensorRef loss;     // may be undefined
  TensorRef refused;
  TensorRef values = {};  // of AdamW::values(), where they lie on the device
};

// A smaller tensor's moments are f32 always, as those of tables, most of whose rows have no
// gradient in a step, and those of sub-tokens, which are few.
inline constexpr std::int64_t kLeastCodedElements = 4096;

class AdamW {
 public:
  // The moments start at zero. With `masters` each bf16 weight gets a master, which is to be given
  // its values (set_values()); without, updates of it are rounded at random from `seed`.
  AdamW(Backend& backend, std::vector<Parameter*> parameters, std::uint64_t seed,
        bool masters = false, MomentStore moments = MomentStore::kF32);

  // squares[i] = the sum of squares of parameter i's gradient, total = that of all: f64, on the
  // device.
  void measure(TensorRef squares, TensorRef total);

  // What of step() changes from step to step.
  UpdateValues values(const OptimConfig& config, double lr, std::int64_t step) const;

  // One update, with the gradients clipped to config.clip_norm; none where `sums` refuse it. `step`
  // counts from 1. Where sums.values is defined, lr, weight_decay, clip_norm and step are its.
  void step(const OptimConfig& config, double lr, std::int64_t step, const UpdateSums& sums);

  // Gives the gradients' memory back.
  void drop_gradients();

  const std::vector<Parameter*>& parameters() const { return parameters_; }
  // First and second moment of parameter i.
  MomentRef first_moment(std::size_t i) const { return first_[i].ref(); }
  MomentRef second_moment(std::size_t i) const { return second_[i].ref(); }

 private:
  struct Moment {
    Tensor values;
    Tensor absmax;  // of codes
    MomentRef ref() const { return {values, absmax}; }
  };
  Moment zero_moment(const Parameter& parameter, MomentStore store, DynamicMap map);

  Backend* backend_;
  std::vector<Parameter*> parameters_;
  std::vector<Moment> first_;
  std::vector<Moment> second_;
  std::uint64_t seed_;
};

}  // namespace lathe
