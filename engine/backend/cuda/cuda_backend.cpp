// Stream, copies, products and launches on a device.
#include "engine/backend/cuda/cuda_backend.h"

#include <fmt/core.h>

#include "engine/backend/cuda/cublas.h"
#include "engine/backend/cuda/cuda_check.h"
#include "engine/backend/cuda/device_range.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/device_error.h"
#include "engine/backend/pool.h"

namespace lathe::cuda {
namespace {

// More shared memory than this a kernel has to ask for.
constexpr std::size_t kPlainSharedBytes = 48 << 10;

std::unique_ptr<Pool> device_pool(int index) {
  CUDA_CHECK(cudaSetDevice(index));
  return std::make_unique<Pool>(std::make_unique<DeviceRange>(index));
}

std::size_t shared_limit(int index) {
  int bytes = 0;
  CUDA_CHECK(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, index));
  return static_cast<std::size_t>(bytes);
}

// bf16 factors are what they would be rounded to.
cublasComputeType_t compute_type(DType factors, ProductPrecision products) {
  if (factors == DType::kBf16) {
    return CUBLAS_COMPUTE_32F;
  }
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

CudaBackend::Lane::Lane() {
  CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  CUDA_CHECK(cudaEventCreateWithFlags(&reached, cudaEventDisableTiming));
  writer.emplace(stream);
}

// Failures are not told: a device that was lost has nothing left to free.
CudaBackend::Lane::~Lane() {
  cudaStreamSynchronize(stream);
  writer.reset();
  cudaEventDestroy(reached);
  cudaStreamDestroy(stream);
}

void CudaBackend::follow(const Lane& first, const Lane& waiting) {
  CUDA_CHECK(cudaEventRecord(first.reached, first.stream));
  CUDA_CHECK(cudaStreamWaitEvent(waiting.stream, first.reached, 0));
}

CudaBackend::CudaBackend(const CudaDevice& device, BackendInfo info)
    : GpuBackend(std::move(info), op_table(), device_pool(device.index),
                 shared_limit(device.index)),
      uuid_(device.uuid) {
  cublas_workspace_ = device_block(kCublasBytes, "cublas");
  CUDA_CHECK(cublas()->create(&cublas_));
  CUDA_CHECK(cublas()->set_stream(cublas_, stream()));
  CUDA_CHECK(cublas()->set_workspace(cublas_, cublas_workspace_.ref().data, kCublasBytes));
  fused_products_.emplace(cublas_, stream(), cublas_workspace_.ref().data, kCublasBytes);
}

CudaBackend::~CudaBackend() {
  cudaStreamSynchronize(stream());
  if (cublas_ != nullptr) {
    cublas()->destroy(cublas_);
  }
}

void CudaBackend::write(TensorRef to, const void* from, std::int64_t bytes) {
  CHECK(bytes <= to.bytes(), "a write ends within the tensor");
  if (recording_ == nullptr) {
    ops_.writer->write(to.data, from, bytes);
  } else if (bytes > 0) {
    CUDA_CHECK(cudaMemcpyAsync(to.data, recording_->keep(from, bytes),
                               static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice, stream()));
  }
}

void CudaBackend::write_beside(TensorRef to, const void* from, std::int64_t bytes) {
  CHECK(bytes <= to.bytes(), "a write ends within the tensor");
  CHECK(recording_ == nullptr, "only what is done in order is recorded");
  if (!writing_beside_) {
    follow(ops_, copies_);
    writing_beside_ = true;
  }
  copies_.writer->write(to.data, from, bytes);
}

void CudaBackend::join_writes() {
  CHECK(recording_ == nullptr, "only what is done in order is recorded");
  if (writing_beside_) {
    follow(copies_, ops_);
    writing_beside_ = false;
  }
}

void CudaBackend::read(TensorRef from, void* to, std::int64_t bytes) {
  CHECK(bytes <= from.bytes(), "a read ends within the tensor");
  CHECK(recording_ == nullptr, "nothing is read while ops are recorded");
  if (bytes > 0) {
    CUDA_CHECK(cudaMemcpyAsync(to, from.data, static_cast<std::size_t>(bytes),
                               cudaMemcpyDeviceToHost, stream()));
  }
  synchronize();
}

void CudaBackend::copy(const void* from, void* to, std::int64_t bytes) {
  if (bytes > 0) {
    CUDA_CHECK(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToDevice,
                               stream()));
  }
}

std::unique_ptr<RecordedOps> CudaBackend::record(const std::function<void()>& work) {
  CHECK(recording_ == nullptr, "one thing is recorded at a time");
  auto graph = std::make_unique<CudaGraph>(stream(), static_cast<Pool&>(allocator().source()));
  recording_ = graph.get();
  try {
    work();
  } catch (...) {
    recording_ = nullptr;
    throw;
  }
  recording_ = nullptr;
  graph->finish();
  return graph;
}

void CudaBackend::synchronize() {
  CUDA_CHECK(cudaStreamSynchronize(stream()));
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
  const cudaDataType_t type = call.factors == DType::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
  CUDA_CHECK(cublas()->gemm(cublas_, operation(call.transpose_b), operation(call.transpose_a),
                            call.n, call.m, call.k, &call.alpha, call.b, type, call.ldb, call.a,
                            type, call.lda, &call.beta, call.c, CUDA_R_32F, call.ldc,
                            compute_type(call.factors, info().products), CUBLAS_GEMM_DEFAULT));
}

// Nothing says whether sums of a factor that is rounded are of what it was: ours are.
bool CudaBackend::fused_gemm(const GemmCall& call) {
  if (call.a_sums != nullptr && info().products != ProductPrecision::kF32) {
    return false;
  }
  return fused_products_->multiply(call, compute_type(call.factors, info().products));
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
