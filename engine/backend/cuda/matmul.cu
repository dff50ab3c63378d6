// Products by the device's library.
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

void matmul(Backend& backend, const MatmulArgs& args) {
  if (args.c.elements() == 0) {
    return;
  }
  const auto [m, n, k] = matmul_extents(args);
  gpu(backend).gemm({.a = args.a.f32(),
                     .b = args.b.f32(),
                     .c = args.c.f32(),
                     .m = m,
                     .n = n,
                     .k = k,
                     .lda = args.a.cols(),
                     .ldb = args.b.cols(),
                     .ldc = n,
                     .transpose_a = args.transpose_a,
                     .transpose_b = args.transpose_b,
                     .alpha = args.alpha,
                     .beta = args.beta});
}

}  // namespace lathe::LATHE_GPU
