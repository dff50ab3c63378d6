// NVIDIA's management library, which comes with the driver: what all programs use of a device, as
// nvidia-smi shows it. Loaded when first asked; without it the CUDA runtime's own figure has to do.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

namespace lathe::cuda {

// As the CUDA runtime tells it.
using DeviceUuid = std::array<unsigned char, 16>;

// One device of the library. It holds the library for as long as it lives.
class NvmlDevice {
 public:
  static constexpr const char* kFile = "libnvidia-ml.so.1";

  // Nothing where there is no such file, it lacks a function, or it does not know the device.
  static std::unique_ptr<NvmlDevice> open(const DeviceUuid& uuid, const char* file = kFile);
  ~NvmlDevice();
  NvmlDevice(const NvmlDevice&) = delete;
  NvmlDevice& operator=(const NvmlDevice&) = delete;

  // Nothing where it refuses, as it may inside of a container or for a part of a device.
  std::optional<std::int64_t> used_bytes() const;

 private:
  struct Library;
  NvmlDevice(std::unique_ptr<Library> library, void* device);

  std::unique_ptr<Library> library_;
  void* device_;
};

}  // namespace lathe::cuda
