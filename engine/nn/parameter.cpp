// Parameters and the tensors of a pass.
#include "engine/nn/parameter.h"

#include <utility>
#include <vector>

#include "engine/backend/random_values.h"
#include "engine/quant/block_codec.h"

namespace lathe {

namespace {

Parameter made(Backend& backend, const Tag& tag, Shape shape, bool decays, DType dtype) {
  Parameter parameter;
  parameter.name = tag.layer + "." + tag.name;
  parameter.layer = tag.layer;
  parameter.weight = Tensor(backend.allocator(), dtype, shape, tag);
  parameter.decays = decays;
  parameter.shape = shape;
  return parameter;
}

}  // namespace

Parameter make_parameter(Backend& backend, const std::string& layer, const std::string& leaf,
                         Shape shape, bool decays, DType dtype) {
  return made(backend, Tag{Category::kWeights, layer, leaf}, shape, decays, dtype);
}

Parameter make_adapter_parameter(Backend& backend, const std::string& layer,
                                 const std::string& leaf, Shape shape, bool decays) {
  Parameter parameter =
      made(backend, Tag{Category::kAdapters, layer, leaf}, shape, decays, DType::kF32);
  parameter.role = ParameterRole::kAdapter;
  return parameter;
}

void set_values(Backend& backend, Parameter& parameter, const float* values) {
  const TensorRef weight = parameter.weight;
  if (weight.dtype == DType::kF32) {
    backend.write(weight, values, weight.bytes());
    return;
  }
  std::vector<std::byte> rounded(static_cast<std::size_t>(weight.bytes()));
  encode_row(weight.dtype, values, rounded.data(), weight.elements());
  backend.write(weight, rounded.data(), weight.bytes());
  if (parameter.master.defined()) {
    backend.write(parameter.master, values, parameter.master.ref().bytes());
  }
}

void draw_values(Backend& backend, Parameter& parameter, RandomFillArgs how) {
  how.out = parameter.weight;
  if (how.out.dtype == DType::kF32) {
    ops::random_fill(backend, how);
    return;
  }
  if (!backend.computes()) {
    return;
  }
  std::vector<float> values(static_cast<std::size_t>(parameter.elements()));
  how.out = {values.data(), DType::kF32, parameter.shape};
  write_random_values(how, 0, parameter.elements());
  set_values(backend, parameter, values.data());
}

Parameter make_frozen_parameter(const std::string& layer, const std::string& leaf, Shape shape) {
  Parameter parameter;
  parameter.name = layer + "." + leaf;
  parameter.layer = layer;
  parameter.frozen = true;
  parameter.given = true;
  parameter.shape = shape;
  return parameter;
}

void give_weight(Parameter& parameter, Tensor weight) {
  CHECK(parameter.given, "a parameter that takes memory of its own is not given a weight");
  CHECK(weight.shape() == parameter.shape && weight.dtype() < DType::kI32,
        "a given weight has the parameter's shape");
  parameter.weight = std::move(weight);
}

GradientSlot gradient_slot(Backend& backend, Parameter& parameter) {
  if (parameter.gradient.defined()) {
    return {parameter.gradient, 1.0f};
  }
  parameter.gradient = Tensor(backend.allocator(), DType::kF32, parameter.gradient_shape(),
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

TensorRef accumulating_gradient(Backend& backend, Parameter& parameter, Tensor& unwanted) {
  if (!parameter.frozen) {
    return accumulating_gradient(backend, parameter);
  }
  unwanted = workspace(backend, parameter.layer, "unwanted", parameter.shape);
  ops::fill(backend, {.out = unwanted, .value = 0.0f});
  return unwanted;
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
