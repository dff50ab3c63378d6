// AdamW: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, w -= lr (mhat / (sqrt(vhat) + eps) + decay w),
// over all tensors, and the sum of squares that clips its gradients.
#include <cmath>

#include "engine/backend/clipping.h"
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/portable_math.h"
#include "engine/backend/update_rule.h"
#include "engine/backend/weight_rounding.h"
#include "engine/quant/half.h"

namespace lathe::cpu_ref {
namespace {

// Reads and writes element i in whatever the weight is kept in.
class WeightElement {
 public:
  WeightElement(const AdamwStepArgs& args, const AdamwTensor& tensor, std::int64_t place)
      : args_(args), tensor_(tensor), place_(place) {}
  double read(std::int64_t i) const {
    return double(exact().defined() ? exact().f32()[i] : float_of_bf16(bits()[i]));
  }
  void write(std::int64_t i, double value) const {
    const auto rounded = static_cast<float>(value);
    if (exact().defined()) {
      exact().f32()[i] = rounded;
    }
    if (tensor_.master.defined()) {
      bits()[i] = bf16_of_float(rounded);
    } else if (!exact().defined()) {
      round_at_random(args_, place_ + i, &rounded, &bits()[i], 1);
    }
  }

 private:
  TensorRef exact() const {
    return tensor_.weight.dtype == DType::kF32 ? tensor_.weight : tensor_.master;
  }
  std::uint16_t* bits() const { return static_cast<std::uint16_t*>(tensor_.weight.data); }
  const AdamwStepArgs& args_;
  const AdamwTensor& tensor_;
  std::int64_t place_;
};

void update(const AdamwStepArgs& args, const AdamwTensor& tensor, double scale,
            const WeightElement& weight) {
  const double beta1 = args.beta1;
  const double beta2 = args.beta2;
  const double correction1 = 1.0 - portable::pow(beta1, double(args.step));
  const double correction2 = 1.0 - portable::pow(beta2, double(args.step));
  const double decay = tensor.decays ? double(args.weight_decay) : 0.0;
  for (std::int64_t i = 0; i < tensor.weight.elements(); ++i) {
    const double g = double(tensor.gradient.f32()[i]) * scale;
    const double m = beta1 * double(tensor.m.f32()[i]) + (1.0 - beta1) * g;
    const double v = beta2 * double(tensor.v.f32()[i]) + (1.0 - beta2) * g * g;
    tensor.m.f32()[i] = static_cast<float>(m);
    tensor.v.f32()[i] = static_cast<float>(v);
    const double move = m / correction1 / (std::sqrt(v / correction2) + double(args.eps));
    const double before = weight.read(i);
    weight.write(i, before - double(args.lr) * (move + decay * before));
  }
}

}  // namespace

void sum_squares(Backend&, const SumSquaresArgs& args) {
  double total = 0.0;
  for (std::size_t t = 0; t < args.x.size(); ++t) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < args.x[t].elements(); ++i) {
      const double x = args.x[t].f32()[i];
      sum += x * x;
    }
    args.sums.f64()[t] = sum;
    total += sum;
  }
  *args.total.f64() = total;
}

void adamw_step(Backend&, const AdamwStepArgs& given) {
  const AdamwStepArgs args = with_update_values(given);
  const std::optional<double> scale = accepted_scale(args);
  if (!scale) {
    return;
  }
  std::int64_t place = 0;
  for (const AdamwTensor& tensor : args.tensors) {
    update(args, tensor, *scale, WeightElement(args, tensor, place));
    place = next_rounding_place(place, tensor.weight.elements());
  }
}

}  // namespace lathe::cpu_ref
