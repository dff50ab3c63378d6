// See projected_step.h. All of it is ops that read on the device whether the step is refused.
#include "engine/optim/projected_step.h"

#include <span>

namespace lathe {
namespace {

Tensor zeros(Backend& backend, const std::string& layer, const char* name, const Shape& shape) {
  Tensor made = workspace(backend, layer, name, shape);
  ops::fill(backend, {.out = made, .value = 0.0f});
  return made;
}

// An update without a gradient, unless it is refused: a row of the weight is one sub-token, whose
// gradient and moments are 0.
void decay(Backend& backend, const Parameter& parameter, const AdamwStepArgs& by) {
  const auto still = [&](const Shape& shape) {
    return zeros(backend, parameter.layer, "still", shape);
  };
  const Shape column{parameter.shape[0], 1};
  const Tensor gradient = still(column), m = still(column), v = still(column);
  const Tensor direction = still(Shape{parameter.shape[1]});
  const SubtokenTensor tensor{
      .weight = parameter.weight, .gradient = gradient, .m = m, .v = v, .direction = direction};
  ops::adamw_subtoken_step(backend, {.tensors = {&tensor, 1}, .by = by});
}

}  // namespace

void projected_step(Backend& backend, Parameter& parameter, const MomentRef& m, const MomentRef& v,
                    AdamwStepArgs by) {
  GradientProjection& projection = *parameter.projection;
  by.tensors = {};
  Tensor projected;
  TensorRef r = projection.gradient();
  if (!projection.per_layer()) {
    projected = workspace(backend, parameter.layer, "projected", projection.projected_shape());
    projection.project(parameter.gradient, projected, 0.0f);
    parameter.gradient.reset();
    r = projected;
  }
  decay(backend, parameter, by);
  const Tensor moved = zeros(backend, parameter.layer, "moved", projection.projected_shape());
  const AdamwTensor tensor{.weight = moved, .gradient = r, .m = m, .v = v, .decays = false};
  by.tensors = {&tensor, 1};
  ops::adamw_step(backend, by);
  projection.add_back(moved, parameter.weight);
}

}  // namespace lathe
