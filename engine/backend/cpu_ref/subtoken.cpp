// VeLoRA's ops, one sub-token after the other, summed in double.
#include <cmath>
#include <vector>

#include "engine/backend/clipping.h"
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/update_rule.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu_ref {

void subtoken_project(Backend&, const SubtokenProjectArgs& args) {
  const std::int64_t size = args.v.elements();
  for (std::int64_t i = 0; i < args.z.elements(); ++i) {
    double sum = 0.0;
    for (std::int64_t k = 0; k < size; ++k) {
      sum += double(args.x.f32()[i * size + k]) * double(args.v.f32()[k]);
    }
    args.z.f32()[i] = static_cast<float>(sum);
  }
}

void subtoken_rebuild(Backend&, const SubtokenRebuildArgs& args) {
  const std::int64_t size = args.v.elements();
  for (std::int64_t i = 0; i < args.x.elements(); ++i) {
    float& x = args.x.f32()[i];
    const double before = args.beta == 0.0f ? 0.0 : double(args.beta) * double(x);
    const double added = double(args.z.f32()[i / size]) * double(args.v.f32()[i % size]);
    x = static_cast<float>(before + double(args.alpha) * added);
  }
}

void subtoken_direction(Backend&, const SubtokenDirectionArgs& args) {
  const auto size = static_cast<std::size_t>(args.v.elements());
  const double decay = args.decay;
  std::vector<double> u(size);
  double squares = 0.0;
  for (std::size_t k = 0; k < size; ++k) {
    u[k] = (1.0 - decay) * double(args.sums.f32()[k]) / double(args.count);
    u[k] += decay == 0.0 ? 0.0 : decay * double(args.v.f32()[k]);
    squares += u[k] * u[k];
  }
  const double length = std::sqrt(squares);
  for (std::size_t k = 0; k < size; ++k) {
    args.v.f32()[k] =
        static_cast<float>(length == 0.0 ? 1.0 / std::sqrt(double(size)) : u[k] / length);
  }
}

void adamw_subtoken_step(Backend&, const AdamwSubtokenStepArgs& given) {
  const AdamwStepArgs args = with_update_values(given.by);
  const std::optional<double> scale = accepted_scale(args);
  if (!scale) {
    return;
  }
  const double beta1 = args.beta1;
  const double beta2 = args.beta2;
  const double correction1 = 1.0 - portable::pow(beta1, double(args.step));
  const double correction2 = 1.0 - portable::pow(beta2, double(args.step));
  for (const SubtokenTensor& tensor : given.tensors) {
    const double decay = tensor.decays ? double(args.weight_decay) : 0.0;
    const std::int64_t size = tensor.direction.elements();
    for (std::int64_t i = 0; i < tensor.gradient.elements(); ++i) {
      const double g = double(tensor.gradient.f32()[i]) * *scale;
      const double m = beta1 * double(tensor.m.f32()[i]) + (1.0 - beta1) * g;
      const double v = beta2 * double(tensor.v.f32()[i]) + (1.0 - beta2) * g * g;
      tensor.m.f32()[i] = static_cast<float>(m);
      tensor.v.f32()[i] = static_cast<float>(v);
      for (std::int64_t k = 0; k < size; ++k) {
        const double along = tensor.direction.f32()[k];
        const double move = along * m / correction1 /
                            (std::fabs(along) * std::sqrt(v / correction2) + double(args.eps));
        float& weight = tensor.weight.f32()[i * size + k];
        weight =
            static_cast<float>(double(weight) - double(args.lr) * (move + decay * double(weight)));
      }
    }
  }
}

}  // namespace lathe::cpu_ref
