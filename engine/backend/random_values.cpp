// Element i is word i % 4 of Philox's counter i / 4, mapped by the inverse of the distribution: one
// word, one value, so that truncation costs no rejected draws.
#include "engine/backend/random_values.h"

#include "engine/base/portable_math.h"
#include "engine/base/rng.h"

namespace lathe {
namespace {

// P(Z < -3) of a normal distribution.
constexpr double kThreeSigmaTail = 1.3498980316300945e-3;

// The centre of one of 2^32 equal cells of (0, 1).
double unit_value(std::uint32_t word) {
  return (static_cast<double>(word) + 0.5) * 0x1.0p-32;
}

float value_of(const RandomFillArgs& args, std::uint32_t word) {
  double standard = 0.0;
  if (args.uniform) {
    standard = 2.0 * unit_value(word) - 1.0;
  } else if (args.truncated) {
    standard = portable::normal_quantile(kThreeSigmaTail +
                                         (1.0 - 2.0 * kThreeSigmaTail) * unit_value(word));
  } else {
    standard = portable::normal_quantile(unit_value(word));
  }
  return static_cast<float>(static_cast<double>(args.mean) +
                            static_cast<double>(args.stddev) * standard);
}

}  // namespace

void write_random_values(const RandomFillArgs& args, std::int64_t first, std::int64_t count) {
  float* out = args.out.f32();
  std::int64_t i = first;
  while (i < first + count) {
    const auto words = philox(args.seed, args.stream, static_cast<std::uint64_t>(i / 4));
    for (std::int64_t word = i % 4; word < 4 && i < first + count; ++word, ++i) {
      out[i] = value_of(args, words[static_cast<std::size_t>(word)]);
    }
  }
}

}  // namespace lathe
