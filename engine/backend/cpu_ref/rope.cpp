// Rotary position embedding: each pair of channels turned by position * frequency.
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/rope_frequency.h"
#include "engine/base/portable_math.h"

namespace lathe::cpu_ref {

void rope(Backend&, const RopeArgs& args) {
  const std::int64_t length = args.x.shape[1];
  const std::int64_t head_dim = args.x.cols() / args.heads;
  const bool halves = args.pairs == RopePairs::kHalves;
  const std::int64_t to_pair = halves ? head_dim / 2 : 1;
  for (std::int64_t i = 0; i < head_dim / 2; ++i) {
    const double frequency = rope_frequency(args, i, head_dim);
    for (std::int64_t row = 0; row < args.x.rows(); ++row) {
      const std::int64_t position =
          args.positions.defined() ? args.positions.i32()[row] : args.first_position + row % length;
      const double angle = double(position) * frequency;
      const double cosine = portable::cos(angle);
      const double sine = args.inverse ? -portable::sin(angle) : portable::sin(angle);
      for (std::int64_t head = 0; head < args.heads; ++head) {
        float* x = args.x.f32() + (row * args.heads + head) * head_dim + (halves ? i : 2 * i);
        const double low = x[0];
        const double high = x[to_pair];
        x[0] = static_cast<float>(low * cosine - high * sine);
        x[to_pair] = static_cast<float>(high * cosine + low * sine);
      }
    }
  }
}

}  // namespace lathe::cpu_ref
