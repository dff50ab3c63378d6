// to_bf16, from_bf16.
#include "engine/backend/cuda/device/rounding.cuh"

#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {
namespace {

bool in_fours(const TensorRef& x, const TensorRef& bits) {
  return aligned_to(16, {x.data}) && aligned_to(8, {bits.data});
}

KernelCall call_of(const char* op, std::int64_t elements, bool fours) {
  return {.op = op,
          .grid = strided_blocks(fours ? (elements + 3) / 4 : elements, kBlockThreads),
          .block = kBlockThreads};
}

}  // namespace

void to_bf16(Backend& backend, const ToBf16Args& args) {
  const std::int64_t count = args.x.elements();
  const bool fours = in_fours(args.x, args.bits);
  launch(backend, call_of("to_bf16", count, fours), fours ? to_bf16_kernel<4> : to_bf16_kernel<1>,
         args.x.f32(), static_cast<Bf16Bits*>(args.bits.data), count);
}

void from_bf16(Backend& backend, const FromBf16Args& args) {
  const std::int64_t count = args.x.elements();
  const bool fours = in_fours(args.x, args.bits);
  launch(backend, call_of("from_bf16", count, fours),
         fours ? from_bf16_kernel<4> : from_bf16_kernel<1>,
         static_cast<const Bf16Bits*>(args.bits.data), args.x.f32(), count);
}

}  // namespace lathe::LATHE_GPU
