// SwiGLU and the plain activations over threads.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {

void swiglu_forward(Backend& backend, const SwigluForwardArgs& args) {
  parallel_ranges(backend.parallelism(), args.h.elements(),
                  [&](std::int64_t first, std::int64_t count) {
                    kernels().swiglu_forward(args.gate.f32() + first, args.up.f32() + first,
                                             args.h.f32() + first, count);
                  });
}

void swiglu_backward(Backend& backend, const SwigluBackwardArgs& args) {
  parallel_ranges(
      backend.parallelism(), args.dh.elements(), [&](std::int64_t first, std::int64_t count) {
        kernels().swiglu_backward({.dh = args.dh.f32() + first,
                                   .gate = args.gate.f32() + first,
                                   .up = args.up.f32() + first,
                                   .dgate = args.dgate.f32() + first,
                                   .dup = args.dup.f32() + first,
                                   .h = args.h.defined() ? args.h.f32() + first : nullptr,
                                   .count = count});
      });
}

void activation_forward(Backend& backend, const ActivationForwardArgs& args) {
  parallel_ranges(
      backend.parallelism(), args.y.elements(), [&](std::int64_t first, std::int64_t count) {
        kernels().activation_forward(args.kind, args.x.f32() + first, args.y.f32() + first, count);
      });
}

void activation_backward(Backend& backend, const ActivationBackwardArgs& args) {
  parallel_ranges(
      backend.parallelism(), args.dx.elements(), [&](std::int64_t first, std::int64_t count) {
        kernels().activation_backward(args.kind, args.x.f32() + first, args.dy.f32() + first,
                                      args.dx.f32() + first, count);
      });
}

}  // namespace lathe::cpu
