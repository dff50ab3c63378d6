// Parameters and the tensors of a pass.
#include "engine/nn/parameter.h"

namespace lathe {

Parameter make_parameter(Backend& backend, const std::string& layer, const std::string& leaf,
                         Shape shape, bool decays) {
  Parameter parameter;
  parameter.name = layer + "." + leaf;
  parameter.layer = layer;
  parameter.weight =
      Tensor(backend.allocator(), DType::kF32, shape, Tag{Category::kWeights, layer, leaf});
  parameter.decays = decays;
  return parameter;
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
