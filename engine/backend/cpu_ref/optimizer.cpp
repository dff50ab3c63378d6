// AdamW: m = b1 m + (1-b1) g, v = b2 v + (1-b2) g^2, w -= lr (mhat / (sqrt(vhat) + eps) + decay w).
#include <cmath>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/portable_math.h"

namespace lathe::cpu_ref {

void adamw_step(Backend&, const AdamwStepArgs& args) {
  const double beta1 = args.beta1;
  const double beta2 = args.beta2;
  const double correction1 = 1.0 - portable::pow(beta1, double(args.step));
  const double correction2 = 1.0 - portable::pow(beta2, double(args.step));
  for (std::int64_t i = 0; i < args.weight.elements(); ++i) {
    float& weight = args.weight.f32()[i];
    const double g = double(args.gradient.f32()[i]) * double(args.grad_scale);
    const double m = beta1 * double(args.m.f32()[i]) + (1.0 - beta1) * g;
    const double v = beta2 * double(args.v.f32()[i]) + (1.0 - beta2) * g * g;
    args.m.f32()[i] = static_cast<float>(m);
    args.v.f32()[i] = static_cast<float>(v);
    const double update = m / correction1 / (std::sqrt(v / correction2) + double(args.eps));
    weight = static_cast<float>(
        double(weight) - double(args.lr) * (update + double(args.weight_decay) * double(weight)));
  }
}

}  // namespace lathe::cpu_ref
