// Parameters and the tensors of a pass.
#include "engine/nn/parameter.h"

#include <utility>

namespace lathe {

Parameter make_parameter(Backend& backend, const std::string& layer, const std::string& leaf,
                         Shape shape, bool decays) {
  Parameter parameter;
  parameter.name = layer + "." + leaf;
  parameter.layer = layer;
  parameter.weight =
      Tensor(backend.allocator(), DType::kF32, shape, Tag{Category::kWeights, layer, leaf});
  parameter.decays = decays;
  parameter.shape = shape;
  return parameter;
}

Parameter make_frozen_parameter(const std::string& layer, const std::string& leaf, Shape shape) {
  Parameter parameter;
  parameter.name = layer + "." + leaf;
  parameter.layer = layer;
  parameter.frozen = true;
  parameter.shape = shape;
  return parameter;
}

void give_weight(Parameter& parameter, Tensor weight) {
  CHECK(parameter.frozen, "only a frozen parameter is given its weight");
  CHECK(weight.shape() == parameter.shape && weight.dtype() < DType::kI32,
        "a given weight has the parameter's shape");
  parameter.weight = std::move(weight);
}

GradientSlot gradient_slot(Backend& backend, Parameter& parameter) {
  if (parameter.gradient.defined()) {
    return {parameter.gradient, 1.0f};
  }
  parameter.gradient = Tensor(backend.allocator(), DType::kF32, parameter.weight.shape(),
                              Tag{Category::kGradients, parameter.layer, "gradient"});
  return {parameter.gradient, 0.0f};
}

TensorRef accumulating_gradient(Backend& backend, Parameter& parameter) {
  const GradientSlot slot = gradient_slot(backend, parameter);
  if (slot.beta == 0.0f) {
    ops::fill(backend, {.out = slot.gradient, .value = 0.0f});
  }
  return slot.gradient;
}

Tensor workspace(Backend& backend, const std::string& layer, const std::string& name, Shape shape,
                 DType dtype) {
  return Tensor(backend.allocator(), dtype, shape, Tag{Category::kWorkspace, layer, name});
}

Tensor activation(Backend& backend, const std::string& layer, const std::string& name, Shape shape,
                  DType dtype) {
  return Tensor(backend.allocator(), dtype, shape, Tag{Category::kActivations, layer, name});
}

}  // namespace lathe
