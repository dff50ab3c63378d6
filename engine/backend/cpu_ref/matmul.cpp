// c = alpha op(a) op(b) + beta c: one dot product after the other.
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/product_epilogue.h"

namespace lathe::cpu_ref {

void matmul(Backend& backend, const MatmulArgs& args) {
  const auto [m, n, k] = matmul_extents(args);
  const float* a = args.a.f32();
  const float* b = args.b.f32();
  float* c = args.c.f32();
  const std::int64_t a_row = args.transpose_a ? 1 : k;
  const std::int64_t a_step = args.transpose_a ? m : 1;
  const std::int64_t b_column = args.transpose_b ? k : 1;
  const std::int64_t b_step = args.transpose_b ? 1 : n;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0.0;
      for (std::int64_t p = 0; p < k; ++p) {
        sum += double(a[i * a_row + p * a_step]) * double(b[j * b_column + p * b_step]);
      }
      float& out = c[i * n + j];
      const double kept = args.beta == 0.0f ? 0.0 : double(args.beta) * double(out);
      out = static_cast<float>(double(args.alpha) * sum + kept);
    }
  }
  apply_epilogue(backend, args);
}

}  // namespace lathe::cpu_ref
