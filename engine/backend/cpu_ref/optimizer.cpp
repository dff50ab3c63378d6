// AdamW: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, w -= lr (mhat / (sqrt(vhat) + eps) + decay w),
// over all tensors, and the sum of squares that clips its gradients.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/backend/clipping.h"
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/update_rule.h"
#include "engine/backend/weight_rounding.h"
#include "engine/base/portable_math.h"
#include "engine/quant/dynamic_map.h"
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

// All of a moment, whichever way it is kept.
std::vector<double> read_moment(const MomentRef& moment, DynamicMap map) {
  std::vector<double> values(static_cast<std::size_t>(moment.values.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (moment.values.dtype == DType::kU8) {
      const std::uint8_t code = static_cast<const std::uint8_t*>(moment.values.data)[i];
      values[i] = double(dynamic_value(map, code)) * double(moment.absmax.f32()[i / kMomentBlock]);
    } else {
      values[i] = double(moment.values.f32()[i]);
    }
  }
  return values;
}

// Codes are those of the values as floats.
void write_moment(const std::vector<double>& values, const MomentRef& moment, DynamicMap map) {
  if (moment.values.dtype != DType::kU8) {
    std::transform(values.begin(), values.end(), moment.values.f32(),
                   [](double value) { return static_cast<float>(value); });
    return;
  }
  std::uint8_t* const codes = static_cast<std::uint8_t*>(moment.values.data);
  for (std::size_t first = 0; first < values.size(); first += kMomentBlock) {
    const std::size_t end = std::min(values.size(), first + kMomentBlock);
    float absmax = 0.0f;
    for (std::size_t i = first; i < end; ++i) {
      absmax = std::max(absmax, std::fabs(static_cast<float>(values[i])));
    }
    absmax = std::min(absmax, std::numeric_limits<float>::max());
    moment.absmax.f32()[first / kMomentBlock] = absmax;
    for (std::size_t i = first; i < end; ++i) {
      const double share =
          absmax > 0.0f ? double(static_cast<float>(values[i])) / double(absmax) : 0.0;
      codes[i] = static_cast<std::uint8_t>(nearest_code_of_sign(map, dynamic_values(map), share));
    }
  }
}

void update(const AdamwStepArgs& args, const AdamwTensor& tensor, double scale,
            const WeightElement& weight) {
  const double beta1 = args.beta1;
  const double beta2 = args.beta2;
  const double correction1 = 1.0 - portable::pow(beta1, double(args.step));
  const double correction2 = 1.0 - portable::pow(beta2, double(args.step));
  const double decay = tensor.decays ? double(args.weight_decay) : 0.0;
  std::vector<double> first = read_moment(tensor.m, DynamicMap::kSigned);
  std::vector<double> second = read_moment(tensor.v, DynamicMap::kUnsigned);
  for (std::int64_t i = 0; i < tensor.weight.elements(); ++i) {
    const double g = double(tensor.gradient.f32()[i]) * scale;
    double& m = first[static_cast<std::size_t>(i)];
    double& v = second[static_cast<std::size_t>(i)];
    m = beta1 * m + (1.0 - beta1) * g;
    v = beta2 * v + (1.0 - beta2) * g * g;
    const double move = m / correction1 / (std::sqrt(v / correction2) + double(args.eps));
    const double before = weight.read(i);
    weight.write(i, before - double(args.lr) * (move + decay * before));
  }
  write_moment(first, tensor.m, DynamicMap::kSigned);
  write_moment(second, tensor.v, DynamicMap::kUnsigned);
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
