// One slot with sub-tokens, run forward and backward on given rows: what comes out, as vectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/linear.h"

namespace lathe::test {

using Values = std::vector<float>;

inline constexpr std::int64_t kSlotRows = 14;
inline constexpr std::int64_t kSlotIn = 24;
inline constexpr std::int64_t kSlotOut = 40;

inline Values values_of(TensorRef tensor) {
  return {tensor.f32(), tensor.f32() + tensor.elements()};
}

inline double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += double(a[i]) * double(b[i]);
  }
  return sum;
}

// |a - factor b| / |b|.
inline double relative_distance(const Values& a, const Values& b, double factor = 1.0) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = double(a[i]) - factor * double(b[i]);
    squares += difference * difference;
  }
  return std::sqrt(squares / dot(b, b));
}

// What a pass of a slot makes.
struct SlotPass {
  Values y, dx, v, z;
  std::vector<Values> directions;  // of all sub-tokens, those of what the slot makes last
  std::vector<Values> gradients;   // of the slot's parameters; empty of frozen ones
};

class SlotRun {
 public:
  explicit SlotRun(const LinearPlan& plan, const std::string& backend = "cpu_ref")
      : backend_(std::move(*make_backend(backend, 1))), linear_(*backend_, plan) {
    linear_.initialise(3, 16);
    linear_.start_adapter(3, 99, 0);
    linear_.append_parameters(parameters_);
  }

  Backend& backend() { return *backend_; }
  Linear& linear() { return linear_; }
  std::vector<Parameter*>& parameters() { return parameters_; }
  // Null without sub-tokens.
  float* direction() {
    return linear_.subtokens() == nullptr ? nullptr : linear_.subtokens()->direction().f32();
  }

  // x [kSlotRows, kSlotIn], dy [kSlotRows, kSlotOut].
  SlotPass pass(const Values& x, const Values& dy, bool again = false) {
    const Tensor input = tensor("x", kSlotIn, x);
    const Tensor gradient = tensor("dy", kSlotOut, dy);
    const Tensor y = workspace(*backend_, "t", "y", Shape{kSlotRows, kSlotOut});
    const Tensor dx = workspace(*backend_, "t", "dx", Shape{kSlotRows, kSlotIn});
    for (Parameter* parameter : parameters_) {
      parameter->gradient.reset();
    }
    LinearSaved saved;
    saved.again = again;
    linear_.forward(input, y, &saved);
    SlotPass made;
    if (linear_.subtokens() != nullptr) {
      const Tensor& z = saved.subtokens.defined() ? saved.subtokens : saved.adapted.subtokens;
      made.z = values_of(z);
      made.v = values_of(linear_.subtokens()->direction());
    }
    std::vector<Subtokens*> all;
    linear_.append_subtokens(all);
    for (const Subtokens* subtokens : all) {
      made.directions.push_back(values_of(subtokens->direction()));
    }
    linear_.backward(linear_.needs_input() ? input.ref() : TensorRef{}, gradient, dx, 0.0f,
                     std::move(saved));
    made.y = values_of(y);
    made.dx = values_of(dx);
    for (const Parameter* parameter : parameters_) {
      made.gradients.push_back(parameter->gradient.defined() ? values_of(parameter->gradient)
                                                             : Values());
    }
    return made;
  }

 private:
  Tensor tensor(const char* name, std::int64_t columns, const Values& values) {
    Tensor made = workspace(*backend_, "t", name, Shape{kSlotRows, columns});
    backend_->write(made, values.data(), made.ref().bytes());
    return made;
  }

  std::unique_ptr<Backend> backend_;
  Linear linear_;
  std::vector<Parameter*> parameters_;
};

}  // namespace lathe::test
