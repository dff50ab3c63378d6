// In place of the cuda back end where the program was built without the CUDA toolkit.
#include "engine/backend/cuda/cuda_devices.h"

namespace lathe {

CudaReport cuda_report() {
  return {.built = "none: built without the CUDA toolkit", .driver = "not asked", .devices = {}};
}

Result<std::unique_ptr<Backend>> make_cuda_backend(int, ProductPrecision) {
  return Error{ErrorKind::kDevice, "this program was built without CUDA",
               "build it where the CUDA toolkit is (cmake --preset cuda-release), or use cpu"};
}

}  // namespace lathe
