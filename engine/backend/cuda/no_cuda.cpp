// In place of the cuda back end where the program was built without the CUDA toolkit.
#include "engine/backend/cuda/cuda_devices.h"

namespace lathe {

CudaReport cuda_report() {
  return {.built = "none: built without the CUDA toolkit",
          .driver = "not asked",
          .cublas = "not looked for",
          .devices = {}};
}

Result<CudaDevice> usable_cuda_device(int index) {
  return Error{
      ErrorKind::kDevice,
      "cuda:" + std::to_string(index) + " cannot be used: this program was built without CUDA",
      "build it where the CUDA toolkit is (cmake --preset cuda-release), or use cpu"};
}

MachineShape machine_of(const CudaDevice&) {
  return {};
}

std::optional<std::int64_t> cuda_free_bytes(int) {
  return std::nullopt;
}

Result<std::unique_ptr<Backend>> make_cuda_backend(int index, ProductPrecision) {
  return usable_cuda_device(index).error();
}

}  // namespace lathe
