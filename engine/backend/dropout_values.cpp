// See dropout_values.h.
#include "engine/backend/dropout_values.h"

#include "engine/base/rng.h"

namespace lathe {

void write_dropout(const DropoutArgs& args, std::int64_t first, std::int64_t count) {
  const auto step =
      args.step_at.defined() ? static_cast<std::int64_t>(*args.step_at.f64()) : args.step;
  const std::uint64_t stream = dropout_stream(step, args.site);
  const std::uint32_t threshold = dropout_threshold(args.rate);
  const float factor = dropout_factor(args.rate);
  const float* x = args.x.f32();
  float* y = args.y.f32();
  std::int64_t i = first;
  while (i < first + count) {
    const std::int64_t place = args.first + i;
    const auto words = philox(args.seed, stream, static_cast<std::uint64_t>(place / 4));
    for (std::int64_t word = place % 4; word < 4 && i < first + count; ++word, ++i) {
      const bool kept = words[static_cast<std::size_t>(word)] >= threshold;
      const float value = kept ? x[i] * factor : 0.0f;
      y[i] = args.adds ? y[i] + value : value;
    }
  }
}

}  // namespace lathe
