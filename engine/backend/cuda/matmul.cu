// Products by the device's library, with what goes beside them where it has that too.
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/product_epilogue.h"

namespace lathe::LATHE_GPU {
namespace {

// Whether bias or sums are a matter for the library: it knows no sums that are added to, and not
// both at once.
bool may_be_fused(const MatmulArgs& args) {
  return args.bias.defined() != args.a_sums.defined() && (args.bias.defined() || args.beta == 0.0f);
}

}  // namespace

void matmul(Backend& backend, const MatmulArgs& args) {
  const auto [m, n, k] = matmul_extents(args);
  GemmCall call{.a = args.a.f32(),
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
                .beta = args.beta};
  if (args.c.elements() > 0 && k > 0 && may_be_fused(args)) {
    GemmCall whole = call;
    whole.bias = args.bias.defined() ? args.bias.f32() : nullptr;
    whole.a_sums = args.a_sums.defined() ? args.a_sums.f32() : nullptr;
    if (gpu(backend).fused_gemm(whole)) {
      return;
    }
  }
  if (args.c.elements() > 0) {
    gpu(backend).gemm(call);
  }
  apply_epilogue(backend, args);
}

}  // namespace lathe::LATHE_GPU
