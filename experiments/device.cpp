// See device.h.
#include "experiments/device.h"

#include <fmt/core.h>

#include "engine/backend/cuda/cuda_devices.h"

namespace lathe::experiments {
namespace {

// Devices do not come and go while the program runs.
const Result<CudaDevice>& first_device() {
  static const Result<CudaDevice> device = usable_cuda_device(0);
  return device;
}

}  // namespace

Result<std::string> resolve_device(const std::string& device) {
  if (device == "auto") {
    return std::string(first_device() ? "cuda:0" : "cpu");
  }
  if (device == "cpu" || device == "cpu_ref") {
    return device;
  }
  const std::optional<int> index = cuda_index(device);
  if (!index) {
    return Error{ErrorKind::kDevice, fmt::format("device \"{}\" is not there", device),
                 "choose one of auto, cpu, cpu_ref, cuda:0 (`lathe doctor` lists them)"};
  }
  if (const auto usable = usable_cuda_device(*index); !usable) {
    return usable.error();
  }
  return fmt::format("cuda:{}", *index);
}

std::string why_auto_is_cpu() {
  return first_device() ? "" : first_device().error().message;
}

Result<MachineShape> machine_shape(const std::string& device, int threads) {
  if (const std::optional<int> index = cuda_index(device)) {
    const auto usable = usable_cuda_device(*index);
    return usable ? Result<MachineShape>(machine_of(*usable)) : usable.error();
  }
  const auto backend = make_backend(device, threads);
  return backend ? Result<MachineShape>((*backend)->machine()) : backend.error();
}

std::optional<AvailableMemory> available_memory(const std::string& device) {
  const std::optional<int> index = cuda_index(device);
  if (!index) {
    return available_memory();
  }
  const auto free_bytes = cuda_free_bytes(*index);
  return free_bytes ? std::optional(AvailableMemory{*free_bytes, device}) : std::nullopt;
}

}  // namespace lathe::experiments
