// Stream, copies, products and launches on a device.
#include "engine/backend/cuda/cuda_backend.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "engine/backend/cuda/cublas.h"
#include "engine/backend/cuda/cuda_check.h"
#include "engine/backend/cuda/device_range.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/device_error.h"
#include "engine/backend/pool.h"

namespace lathe::cuda {
namespace {

constexpr std::int64_t kStagingBytes = 4 << 20;
// More shared memory than this a kernel has to ask for.
constexpr std::size_t kPlainSharedBytes = 48 << 10;

std::unique_ptr<Pool> device_pool(int index) {
  CUDA_CHECK(cudaSetDevice(index));
  return std::make_unique<Pool>(std::make_unique<DeviceRange>(index));
}

cublasComputeType_t compute_type(ProductPrecision products) {
  switch (products) {
    case ProductPrecision::kF32:
      return CUBLAS_COMPUTE_32F;
    case ProductPrecision::kTf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case ProductPrecision::kBf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
  }
  return CUBLAS_COMPUTE_32F;
}

}  // namespace

CudaBackend::CudaBackend(const CudaDevice& device, BackendInfo info)
    : GpuBackend(std::move(info), op_table(), device_pool(device.index)), uuid_(device.uuid) {
  CUDA_CHECK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  for (Staging& half : staging_) {
    CUDA_CHECK(cudaMallocHost(reinterpret_cast<void**>(&half.bytes), kStagingBytes));
    CUDA_CHECK(cudaEventCreateWithFlags(&half.copied, cudaEventDisableTiming));
  }
  cublas_workspace_ = device_block(kCublasBytes, "cublas");
  CUDA_CHECK(cublas()->create(&cublas_));
  CUDA_CHECK(cublas()->set_stream(cublas_, stream_));
  CUDA_CHECK(cublas()->set_workspace(cublas_, cublas_workspace_.ref().data, kCublasBytes));
}

// Failures are not told: a device that was lost has nothing left to free.
CudaBackend::~CudaBackend() {
  cudaStreamSynchronize(stream_);
  if (cublas_ != nullptr) {
    cublas()->destroy(cublas_);
  }
  for (Staging& half : staging_) {
    cudaEventDestroy(half.copied);
    cudaFreeHost(half.bytes);
  }
  cudaStreamDestroy(stream_);
}

// The half that is being filled while it has room, else the other one, once its copies are done.
CudaBackend::Staging& CudaBackend::staging_for(std::int64_t bytes) {
  if (staging_[filling_].used + bytes > kStagingBytes) {
    CUDA_CHECK(cudaEventRecord(staging_[filling_].copied, stream_));
    filling_ = 1 - filling_;
    CUDA_CHECK(cudaEventSynchronize(staging_[filling_].copied));
    staging_[filling_].used = 0;
  }
  return staging_[filling_];
}

void CudaBackend::write(TensorRef to, const void* from, std::int64_t bytes) {
  CHECK(bytes <= to.bytes(), "a write ends within the tensor");
  for (std::int64_t done = 0; done < bytes;) {
    const std::int64_t piece = std::min(kStagingBytes, bytes - done);
    Staging& half = staging_for(piece);
    std::byte* const room = half.bytes + half.used;
    const auto size = static_cast<std::size_t>(piece);
    std::memcpy(room, static_cast<const std::byte*>(from) + done, size);
    CUDA_CHECK(cudaMemcpyAsync(static_cast<std::byte*>(to.data) + done, room, size,
                               cudaMemcpyHostToDevice, stream_));
    half.used += piece;
    done += piece;
  }
}

void CudaBackend::read(TensorRef from, void* to, std::int64_t bytes) {
  CHECK(bytes <= from.bytes(), "a read ends within the tensor");
  if (bytes > 0) {
    CUDA_CHECK(cudaMemcpyAsync(to, from.data, static_cast<std::size_t>(bytes),
                               cudaMemcpyDeviceToHost, stream_));
  }
  wait_for_device();
}

void CudaBackend::copy(const void* from, void* to, std::int64_t bytes) {
  if (bytes > 0) {
    CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice,
                               stream_));
  }
}

void CudaBackend::wait_for_device() {
  CUDA_CHECK(cudaStreamSynchronize(stream_));
}

std::optional<std::int64_t> CudaBackend::device_used_bytes() {
  if (!nvml_) {
    nvml_ = NvmlDevice::open(uuid_);
  }
  if (*nvml_ != nullptr) {
    if (const auto used = (*nvml_)->used_bytes()) {
      return used;
    }
  }
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  return static_cast<std::int64_t>(total_bytes - free_bytes);
}

// cuBLAS counts columns first: its product of the transposes, in exchanged order, is ours.
void CudaBackend::gemm(const GemmCall& call) {
  const auto operation = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
  CUDA_CHECK(cublas()->gemm(cublas_, operation(call.transpose_b), operation(call.transpose_a),
                            call.n, call.m, call.k, &call.alpha, call.b, CUDA_R_32F, call.ldb,
                            call.a, CUDA_R_32F, call.lda, &call.beta, call.c, CUDA_R_32F, call.ldc,
                            compute_type(info().products), CUBLAS_GEMM_DEFAULT));
}

void run_on_device(GpuBackend& backend, std::string_view op, dim3 grid, dim3 block,
                   std::size_t shared_bytes, const void* kernel, void** args) {
  cudaError_t status = cudaSuccess;
  if (shared_bytes > kPlainSharedBytes) {
    status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(shared_bytes));
  }
  if (status == cudaSuccess) {
    status = cudaLaunchKernel(kernel, grid, block, args, shared_bytes,
                              static_cast<CudaBackend&>(backend).stream());
  }
  if (status != cudaSuccess) {
    throw DeviceError(fmt::format(
        "{}, grid ({}, {}, {}) of blocks ({}, {}, {}) with {} bytes of shared memory: {}, {}", op,
        grid.x, grid.y, grid.z, block.x, block.y, block.z, shared_bytes, cudaGetErrorName(status),
        cudaGetErrorString(status)));
  }
}

}  // namespace lathe::cuda
