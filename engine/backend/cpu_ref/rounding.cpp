// f32 to bf16 and back, one element after the other.
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/quant/half.h"

namespace lathe::cpu_ref {

void to_bf16(Backend&, const ToBf16Args& args) {
  auto* const bits = static_cast<std::uint16_t*>(args.bits.data);
  for (std::int64_t i = 0; i < args.x.elements(); ++i) {
    float& x = args.x.f32()[i];
    bits[i] = bf16_of_float(x);
    x = float_of_bf16(bits[i]);
  }
}

void from_bf16(Backend&, const FromBf16Args& args) {
  const auto* const bits = static_cast<const std::uint16_t*>(args.bits.data);
  for (std::int64_t i = 0; i < args.x.elements(); ++i) {
    args.x.f32()[i] = float_of_bf16(bits[i]);
  }
}

}  // namespace lathe::cpu_ref
