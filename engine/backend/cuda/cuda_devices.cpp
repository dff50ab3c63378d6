// Which devices there are, and what stands in the way of using them.
#include "engine/backend/cuda/cuda_devices.h"

#include <fmt/core.h>

#include <cstring>

#include "engine/backend/cuda/cublas.h"
#include "engine/backend/cuda/cuda_backend.h"
#include "engine/backend/cuda/cuda_check.h"
#include "engine/backend/device_error.h"

namespace lathe {
namespace {

std::string version_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

// What is wrong with the driver; empty if nothing is.
Result<std::string> driver_text() {
  int version = 0;
  if (cudaDriverGetVersion(&version) != cudaSuccess || version == 0) {
    return Error{ErrorKind::kDevice, "there is no NVIDIA driver",
                 "install one, or use --device cpu"};
  }
  // A driver serves every minor version of its major one.
  if (version / 1000 < CUDART_VERSION / 1000) {
    return Error{ErrorKind::kDevice,
                 fmt::format("the NVIDIA driver supports CUDA {}, and this program was built with "
                             "CUDA {}",
                             version_text(version), version_text(CUDART_VERSION)),
                 "update the driver, or build with the older toolkit"};
  }
  return fmt::format("supports CUDA {}", version_text(version));
}

CudaDevice describe(int index) {
  cudaDeviceProp properties{};
  if (const cudaError_t status = cudaGetDeviceProperties(&properties, index);
      status != cudaSuccess) {
    return {.index = index, .name = "unknown", .problem = cudaGetErrorString(status)};
  }
  CudaDevice device{.index = index,
                    .name = properties.name,
                    .capability = properties.major * 10 + properties.minor,
                    .multiprocessors = properties.multiProcessorCount,
                    .total_bytes = static_cast<std::int64_t>(properties.totalGlobalMem),
                    .problem = ""};
  static_assert(sizeof(properties.uuid.bytes) == sizeof(device.uuid));
  std::memcpy(device.uuid.data(), properties.uuid.bytes, device.uuid.size());
  if (device.capability < LATHE_CUDA_LOWEST) {
    device.problem = fmt::format(
        "its compute capability {}.{} is below {}.{}, the lowest that this program was built for",
        device.capability / 10, device.capability % 10, LATHE_CUDA_LOWEST / 10,
        LATHE_CUDA_LOWEST % 10);
  }
  return device;
}

Error not_there(int index, int count) {
  const std::string there =
      count == 0 ? "none is visible"
                 : fmt::format("there {} cuda:0{}", count == 1 ? "is" : "are",
                               count == 1 ? "" : fmt::format(" to cuda:{}", count - 1));
  return {ErrorKind::kDevice, fmt::format("cuda:{} is not there: {}", index, there),
          "`lathe doctor` lists the devices; CUDA_VISIBLE_DEVICES hides those it does not name"};
}

Result<std::unique_ptr<Backend>> open_device(const CudaDevice& device, ProductPrecision products) {
  if (!cuda::cublas()) {
    return cuda::cublas().error();
  }
  BackendInfo info{
      .name = "cuda",
      .device = fmt::format("{}, {} multiprocessors", device.name, device.multiprocessors),
      .parallelism = device.multiprocessors,
      .kernels =
          fmt::format("sm_{} kernels, cuBLAS {}", device.capability, cuda::cublas_version())};
  info.products = products;
  info.held_bytes = machine_of(device).held_bytes;
  return std::unique_ptr<Backend>(std::make_unique<cuda::CudaBackend>(device, std::move(info)));
}

}  // namespace

CudaReport cuda_report() {
  CudaReport report{.built = fmt::format("CUDA {}, device code {}", version_text(CUDART_VERSION),
                                         LATHE_CUDA_BUILT),
                    .driver = "",
                    .cublas = "",
                    .devices = {}};
  const Result<std::string> driver = driver_text();
  report.driver = driver ? *driver : driver.error().text();
  report.cublas = cuda::cublas_version();
  int count = 0;
  if (driver && cudaGetDeviceCount(&count) == cudaSuccess) {
    for (int index = 0; index < count; ++index) {
      report.devices.push_back(describe(index));
    }
  }
  return report;
}

Result<CudaDevice> usable_cuda_device(int index) {
  if (const Result<std::string> driver = driver_text(); !driver) {
    return Error{ErrorKind::kDevice,
                 fmt::format("cuda:{} cannot be used: {}", index, driver.error().message),
                 driver.error().remedy};
  }
  int count = 0;
  if (const cudaError_t status = cudaGetDeviceCount(&count);
      status != cudaSuccess && status != cudaErrorNoDevice) {
    return Error{ErrorKind::kDevice,
                 fmt::format("the CUDA devices cannot be counted: {}", cudaGetErrorString(status)),
                 "`nvidia-smi` tells whether the driver works"};
  }
  if (index < 0 || index >= count) {
    return not_there(index, count);
  }
  CudaDevice device = describe(index);
  if (!device.problem.empty()) {
    return Error{ErrorKind::kDevice,
                 fmt::format("cuda:{}, {}: {}", index, device.name, device.problem),
                 "build with LATHE_CUDA_ARCHITECTURES for it, or use --device cpu"};
  }
  return device;
}

MachineShape machine_of(const CudaDevice& device) {
  return {.parallelism = device.multiprocessors,
          .held_bytes = GpuBackend::kHeldBytes + cuda::CudaBackend::kCublasBytes,
          .reads_host_memory = false};
}

std::optional<std::int64_t> cuda_free_bytes(int index) {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  if (cudaSetDevice(index) != cudaSuccess ||
      cudaMemGetInfo(&free_bytes, &total_bytes) != cudaSuccess) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(free_bytes);
}

Result<std::unique_ptr<Backend>> make_cuda_backend(int index, ProductPrecision products) {
  const Result<CudaDevice> device = usable_cuda_device(index);
  if (!device) {
    return device.error();
  }
  const auto unusable = [&](ErrorKind kind, const char* what) {
    return Error{kind, fmt::format("cuda:{}, {}, cannot be used: {}", index, device->name, what),
                 "another program may hold its memory (`nvidia-smi`); after an error on the device "
                 "restart this program"};
  };
  try {
    return open_device(*device, products);
  } catch (const DeviceError& error) {
    return unusable(ErrorKind::kDevice, error.what());
  } catch (const OutOfMemory& error) {
    return unusable(ErrorKind::kOutOfMemory, error.what());
  }
}

}  // namespace lathe
