// f32 to bf16 and back over threads.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {
namespace {

void decode(const std::uint16_t* bits, float* x, std::int64_t count) {
  kernels().decode(DType::kBf16, reinterpret_cast<const unsigned char*>(bits), x, count);
}

}  // namespace

void to_bf16(Backend& backend, const ToBf16Args& args) {
  auto* const bits = static_cast<std::uint16_t*>(args.bits.data);
  float* const x = args.x.f32();
  parallel_ranges(backend.parallelism(), args.x.elements(),
                  [&](std::int64_t first, std::int64_t count) {
                    kernels().round_to_bf16(x + first, bits + first, count);
                    decode(bits + first, x + first, count);
                  });
}

void from_bf16(Backend& backend, const FromBf16Args& args) {
  const auto* const bits = static_cast<const std::uint16_t*>(args.bits.data);
  float* const x = args.x.f32();
  parallel_ranges(
      backend.parallelism(), args.x.elements(),
      [&](std::int64_t first, std::int64_t count) { decode(bits + first, x + first, count); });
}

}  // namespace lathe::cpu
