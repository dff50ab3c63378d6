// See scale_shift.h.
#include "engine/nn/scale_shift.h"

namespace lathe {

ScaleShift::ScaleShift(Backend& backend, const LinearPlan& plan)
    : backend_(&backend),
      gamma_(make_adapter_parameter(backend, plan.name, "ssf_gamma", Shape{plan.out}, false)),
      beta_(make_adapter_parameter(backend, plan.name, "ssf_beta", Shape{plan.out}, false)) {
  if (plan.subtokens.groups > 0) {
    subtokens_.emplace(backend, plan.name, plan.subtokens, plan.out);
  }
}

void ScaleShift::begin() {
  ops::fill(*backend_, {.out = gamma_.weight, .value = 1.0f});
  ops::fill(*backend_, {.out = beta_.weight, .value = 0.0f});
}

Tensor ScaleShift::forward(TensorRef y, bool kept, bool again) {
  Tensor subtokens = kept && subtokens_ ? subtokens_->project(y, again) : Tensor();
  ops::column_scale(*backend_, {.x = y, .gain = gamma_.weight, .shift = beta_.weight, .y = y});
  return subtokens;
}

void ScaleShift::backward(TensorRef made, TensorRef dy, TensorRef dmade, Tensor subtokens) {
  const TensorRef dgamma = accumulating_gradient(*backend_, gamma_);
  if (subtokens_) {
    const Tensor rebuilt = subtokens_->rebuilt(std::move(subtokens), dy.cols());
    if (subtokens_->scale() != 1.0) {
      ops::scale(*backend_, {.x = rebuilt, .factor = static_cast<float>(subtokens_->scale())});
    }
    ops::column_dot(*backend_, {.a = dy, .b = rebuilt, .sums = dgamma});
  } else {
    ops::column_dot(*backend_, {.a = dy, .b = made, .sums = dgamma});
  }
  ops::bias_backward(*backend_, {.dy = dy, .dbias = accumulating_gradient(*backend_, beta_)});
  ops::column_scale(*backend_, {.x = dy, .gain = gamma_.weight, .shift = {}, .y = dmade});
}

void ScaleShift::append_parameters(std::vector<Parameter*>& out) {
  out.push_back(&gamma_);
  out.push_back(&beta_);
}

}  // namespace lathe
