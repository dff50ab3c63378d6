// Products by the device's library.
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

void matmul(Backend& backend, const MatmulArgs& args) {
  if (args.c.elements() > 0) {
    gpu(backend).gemm(args);
  }
}

}  // namespace lathe::LATHE_GPU
