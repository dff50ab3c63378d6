// Matrix products through oneDNN's sgemm, which is row-major.
#include <dnnl.h>
#include <omp.h>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/product_epilogue.h"

namespace lathe::cpu {

namespace {

void multiply(Backend& backend, const MatmulArgs& args) {
  const auto [m, n, k] = matmul_extents(args);
  if (m == 0 || n == 0) {
    return;
  }
  // oneDNN takes its number of threads from the calling thread's OpenMP setting.
  omp_set_num_threads(backend.parallelism());
  const dnnl_status_t status = dnnl_sgemm(
      args.transpose_a ? 'T' : 'N', args.transpose_b ? 'T' : 'N', m, n, k, args.alpha, args.a.f32(),
      args.a.cols(), args.b.f32(), args.b.cols(), args.beta, args.c.f32(), n);
  CHECK(status == dnnl_success, "matmul: oneDNN refused the product");
}

}  // namespace

void matmul(Backend& backend, const MatmulArgs& args) {
  multiply(backend, args);
  apply_epilogue(backend, args);
}

std::string matmul_library_version() {
  const dnnl_version_t* version = dnnl_version();
  return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
         std::to_string(version->patch);
}

}  // namespace lathe::cpu
