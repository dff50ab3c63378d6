// A CUDA device: one stream for all ops and one for copies beside them, a pool of its memory under
// the ledger, products by cuBLAS, pinned host memory through which tensors are written without
// waiting.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <memory>
#include <optional>

#include "engine/backend/cuda/cuda_devices.h"
#include "engine/backend/cuda/cuda_graph.h"
#include "engine/backend/cuda/fused_products.h"
#include "engine/backend/cuda/gpu_backend.h"
#include "engine/backend/cuda/nvml.h"
#include "engine/backend/cuda/pinned_writer.h"

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
  void write_beside(TensorRef to, const void* from, std::int64_t bytes) override;
  void join_writes() override;
  void read(TensorRef from, void* to, std::int64_t bytes) override;
  void gemm(const GemmCall& call) override;
  bool fused_gemm(const GemmCall& call) override;
  void copy(const void* from, void* to, std::int64_t bytes) override;
  // By NVML, else by the runtime, whose figure has the driver's own part in it.
  std::optional<std::int64_t> device_used_bytes() override;
  bool records() const override { return true; }
  // A CUDA graph. Throws DeviceError.
  std::unique_ptr<RecordedOps> record(const std::function<void()>& work) override;
  // Throws DeviceError if something issued so far failed.
  void synchronize() override;
  cudaStream_t stream() const { return ops_.stream; }

 private:
  // A stream with the pinned memory that feeds it. Throws DeviceError.
  struct Lane {
    Lane();
    ~Lane();
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;
    cudaStream_t stream = nullptr;
    cudaEvent_t reached = nullptr;  // a place in the stream that the other one waits for
    std::optional<PinnedWriter> writer;
  };
  // What `waiting` is given from now on begins when `first` has done what it was given so far.
  static void follow(const Lane& first, const Lane& waiting);

  Lane ops_, copies_;
  CudaGraph* recording_ = nullptr;
  bool writing_beside_ = false;  // copies_ has something that ops_ does not wait for yet
  cublasHandle_t cublas_ = nullptr;
  Tensor cublas_workspace_;
  std::optional<FusedProducts> fused_products_;
  DeviceUuid uuid_;
  std::optional<std::unique_ptr<NvmlDevice>> nvml_;  // once asked; null where it is not there
};

}  // namespace lathe::cuda
