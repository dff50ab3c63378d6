// Rotary position embedding: the pair (i, i + head_dim/2) turned by position *
// theta^(-2i/head_dim).
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/portable_math.h"

namespace lathe::cpu_ref {

void rope(Backend&, const RopeArgs& args) {
  const std::int64_t length = args.x.shape[1];
  const std::int64_t head_dim = args.x.cols() / args.heads;
  const std::int64_t half = head_dim / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const double frequency = portable::pow(double(args.theta), -2.0 * double(i) / double(head_dim));
    for (std::int64_t t = 0; t < length; ++t) {
      const double angle = double(args.first_position + t) * frequency;
      const double cosine = portable::cos(angle);
      const double sine = args.inverse ? -portable::sin(angle) : portable::sin(angle);
      for (std::int64_t b = 0; b < args.x.shape[0]; ++b) {
        for (std::int64_t head = 0; head < args.heads; ++head) {
          float* x = args.x.f32() + ((b * length + t) * args.heads + head) * head_dim + i;
          const double low = x[0];
          const double high = x[half];
          x[0] = static_cast<float>(low * cosine - high * sine);
          x[half] = static_cast<float>(high * cosine + low * sine);
        }
      }
    }
  }
}

}  // namespace lathe::cpu_ref
