// A trained tensor with its gradient. The gradient's memory is taken when backward first writes it,
// so that it can reuse what forward's activations gave back.
#pragma once

#include <cstdint>
#include <string>

#include "engine/backend/backend.h"

namespace lathe {

// What a parameter is to those who choose what is trained.
// A table is looked up by rows: tokens (perhaps the head as well) or positions. A classifier is the
// head of a model of images, which is trained beside adapters.
enum class ParameterRole : std::uint8_t {
  kOther,
  kFactorA,
  kFactorB,
  kAdapter,
  kTable,
  kClassifier
};

class GradientProjection;  // engine/nn/gradient_projection.h

struct Parameter {
  std::string name;   // full path with the leaf, "layers.3.attention.q.weight"
  std::string layer;  // module path, for the ledger
  Tensor weight;
  Tensor master;       // f32 of a bf16 weight, where an optimizer keeps one
  Tensor gradient;     // f32; undefined until the first backward after an optimizer step
  bool decays = true;  // weight decay applies: matrices, not norm gains

  bool frozen = false;  // not trained: backward leaves it without a gradient
  // Its weight is not the model's: frozen, perhaps of a packed type and in a mapped file.
  bool given = false;
  Shape shape = {};  // of the weight, also before it is given
  ParameterRole role = ParameterRole::kOther;
  // Where it is defined, f32 [M], the gradient has one number for each M neighbours of a row of the
  // weight, and is that times `direction` (AdamwSubtokenStepArgs).
  TensorRef direction = {};
  // Where there is one, the optimizer sees what it makes of the gradient.
  GradientProjection* projection = nullptr;

  Shape gradient_shape() const {
    return direction.defined() ? Shape{shape[0], shape[1] / direction.elements()} : shape;
  }
  std::int64_t elements() const { return shape.elements(); }
};

// A parameter of `shape`, contents undefined. dtype: f32 or bf16.
Parameter make_parameter(Backend& backend, const std::string& layer, const std::string& leaf,
                         Shape shape, bool decays, DType dtype = DType::kF32);

// The same in f32 of what stands beside a slot's weight.
Parameter make_adapter_parameter(Backend& backend, const std::string& layer,
                                 const std::string& leaf, Shape shape, bool decays = true);

// The weight becomes `values`, elements() of them, or what they are nearest to in its type; a
// master becomes the values themselves.
void set_values(Backend& backend, Parameter& parameter, const float* values);
// The same by random_fill; `how.out` is not used.
void draw_values(Backend& backend, Parameter& parameter, RandomFillArgs how);

// A frozen parameter without memory until give_weight().
Parameter make_frozen_parameter(const std::string& layer, const std::string& leaf, Shape shape);
// Preconditions: a frozen parameter; a weight of its shape, of f32 or a packed type.
void give_weight(Parameter& parameter, Tensor weight);

// The gradient to add to and the factor for what it holds: 0 where it is fresh (its memory is taken
// now and undefined), 1 where it accumulates.
struct GradientSlot {
  TensorRef gradient;
  float beta = 0.0f;
};
GradientSlot gradient_slot(Backend& backend, Parameter& parameter);

// The gradient, zeroed if it is fresh: for ops that can only accumulate. Of a frozen parameter
// `unwanted` is made and given instead, for ops that cannot do without.
TensorRef accumulating_gradient(Backend& backend, Parameter& parameter);
TensorRef accumulating_gradient(Backend& backend, Parameter& parameter, Tensor& unwanted);

// Scratch of one layer's pass.
Tensor workspace(Backend& backend, const std::string& layer, const std::string& name, Shape shape,
                 DType dtype = DType::kF32);
// Kept from forward for backward.
Tensor activation(Backend& backend, const std::string& layer, const std::string& name, Shape shape,
                  DType dtype = DType::kF32);

}  // namespace lathe
