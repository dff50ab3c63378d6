// The CUDA devices of this machine, or the reason why there is none to use. Where the program was
// built without the toolkit no_cuda.cpp answers, always with a reason.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/nvml.h"
#include "engine/base/result.h"

namespace lathe {

struct CudaDevice {
  int index = 0;
  std::string name;    // "NVIDIA H200"
  int capability = 0;  // 90 for compute capability 9.0
  int multiprocessors = 0;
  std::int64_t total_bytes = 0;
  cuda::DeviceUuid uuid{};
  std::string problem;  // empty, or why this build cannot use it
};

// What was built, and what the machine brings.
struct CudaReport {
  std::string built;   // "CUDA 13.0, device code 80-real;90", or why there is none
  std::string driver;  // "supports CUDA 13.1", or what is wrong
  std::string cublas;  // "13.0.2", or why there is none
  std::vector<CudaDevice> devices;
};
CudaReport cuda_report();

// kDevice, with the remedy, where device `index` cannot be used: no driver, one too old, a device
// that is not there, or older than the built code.
Result<CudaDevice> usable_cuda_device(int index);

// What a back end on the device would be to a plan.
MachineShape machine_of(const CudaDevice& device);

// Device memory that no program uses; nothing where the device does not say. Costs a context.
std::optional<std::int64_t> cuda_free_bytes(int index);

// kDevice as above, and where the device is lost or does not give what the back end itself needs.
Result<std::unique_ptr<Backend>> make_cuda_backend(int index, ProductPrecision products);

}  // namespace lathe
