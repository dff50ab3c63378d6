// A CUDA device: one stream for all ops, a pool of its memory under the ledger, products by cuBLAS,
// pinned host memory through which tensors are written without waiting.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <array>
#include <memory>

#include "engine/backend/cuda/cuda_devices.h"
#include "engine/backend/cuda/gpu_backend.h"
#include "engine/backend/cuda/nvml.h"

namespace lathe::cuda {

class CudaBackend final : public GpuBackend {
 public:
  // What cuBLAS asks for on compute capability 9.0 (its documentation, cublasSetWorkspace).
  static constexpr std::int64_t kCublasBytes = 32 << 20;

  // Makes the device current for this thread. Throws DeviceError.
  CudaBackend(const CudaDevice& device, BackendInfo info);
  ~CudaBackend() override;

  // Returns when the bytes have been read, not when they have arrived.
  void write(TensorRef to, const void* from, std::int64_t bytes) override;
  void read(TensorRef from, void* to, std::int64_t bytes) override;
  void gemm(const GemmCall& call) override;
  void copy(const void* from, void* to, std::int64_t bytes) override;
  // By NVML, else by the runtime, whose figure has the driver's own part in it.
  std::optional<std::int64_t> device_used_bytes() override;
  cudaStream_t stream() const { return stream_; }

 protected:
  void wait_for_device() override;

 private:
  // Half of the pinned memory, and when the copies out of it are done.
  struct Staging {
    std::byte* bytes = nullptr;
    cudaEvent_t copied = nullptr;
    std::int64_t used = 0;
  };
  Staging& staging_for(std::int64_t bytes);

  cudaStream_t stream_ = nullptr;
  cublasHandle_t cublas_ = nullptr;
  std::array<Staging, 2> staging_;
  std::size_t filling_ = 0;
  Tensor cublas_workspace_;
  DeviceUuid uuid_;
  std::optional<std::unique_ptr<NvmlDevice>> nvml_;  // once asked; null where it is not there
};

}  // namespace lathe::cuda
