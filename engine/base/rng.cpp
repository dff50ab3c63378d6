// Philox through Random123.
#include "engine/base/rng.h"

#include <Random123/philox.h>

namespace lathe {

std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  using Generator = r123::Philox4x32;
  const Generator::key_type key{
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}};
  const Generator::ctr_type counter{
      {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
       static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)}};
  const Generator::ctr_type words = Generator()(counter, key);
  return {words[0], words[1], words[2], words[3]};
}

std::uint64_t Rng::next_u64() {
  const auto words = philox(seed_, stream_, index_++);
  return (static_cast<std::uint64_t>(words[1]) << 32) | words[0];
}

double Rng::next_unit() {
  return static_cast<double>(next_u64() >> 11) * 0x1.0p-53;
}

std::uint64_t Rng::next_below(std::uint64_t bound) {
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  for (;;) {
    const std::uint64_t value = next_u64();
    if (value < limit) {
      return value % bound;
    }
  }
}

}  // namespace lathe
