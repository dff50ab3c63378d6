// swiglu_forward, swiglu_backward, activation_forward, activation_backward.
#include "engine/backend/cuda/device/activation.cuh"

#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {
namespace {

KernelCall packed(const char* op, std::int64_t elements, bool fours) {
  const std::int64_t items = fours ? (elements + 3) / 4 : elements;
  return {.op = op, .grid = strided_blocks(items, kBlockThreads), .block = kBlockThreads};
}

}  // namespace

void swiglu_forward(Backend& backend, const SwigluForwardArgs& args) {
  const std::int64_t count = args.h.elements();
  const bool fours = aligned_to_fours({args.gate.data, args.up.data, args.h.data});
  launch(backend, packed("swiglu_forward", count, fours),
         fours ? swiglu_forward_kernel<4> : swiglu_forward_kernel<1>, args.gate.f32(),
         args.up.f32(), args.h.f32(), count);
}

void swiglu_backward(Backend& backend, const SwigluBackwardArgs& args) {
  const std::int64_t count = args.dh.elements();
  float* const h = args.h.defined() ? args.h.f32() : nullptr;
  const bool fours = aligned_to_fours(
      {args.dh.data, args.gate.data, args.up.data, args.dgate.data, args.dup.data, h});
  launch(backend, packed("swiglu_backward", count, fours),
         fours ? swiglu_backward_kernel<4> : swiglu_backward_kernel<1>, args.dh.f32(),
         args.gate.f32(), args.up.f32(), args.dgate.f32(), args.dup.f32(), h, count);
}

void activation_forward(Backend& backend, const ActivationForwardArgs& args) {
  const std::int64_t count = args.y.elements();
  const bool fours = aligned_to_fours({args.x.data, args.y.data});
  launch(backend, packed("activation_forward", count, fours),
         fours ? activation_forward_kernel<4> : activation_forward_kernel<1>, args.kind,
         args.x.f32(), args.y.f32(), count);
}

void activation_backward(Backend& backend, const ActivationBackwardArgs& args) {
  const std::int64_t count = args.dx.elements();
  const bool fours = aligned_to_fours({args.x.data, args.dy.data, args.dx.data});
  launch(backend, packed("activation_backward", count, fours),
         fours ? activation_backward_kernel<4> : activation_backward_kernel<1>, args.kind,
         args.x.f32(), args.dy.f32(), args.dx.f32(), count);
}

}  // namespace lathe::LATHE_GPU
