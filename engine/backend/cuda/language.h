// What nvcc includes first in the sources of the cuda back end; engine/backend/simt/language.h is
// its twin where they are simulated.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

#include <cstddef>
#include <string_view>
#include <type_traits>

#include "engine/backend/cuda/gpu_backend.h"

namespace lathe::cuda {

// The block's shared memory as `T`; see launch().
template <typename T>
__device__ T* shared_memory() {
  extern __shared__ __align__(128) unsigned char bytes[];
  return reinterpret_cast<T*>(bytes);
}

// A kernel whose arguments lie at `args`, on the back end's stream (cuda_backend.cpp). Throws
// DeviceError.
void run_on_device(GpuBackend& backend, std::string_view op, dim3 grid, dim3 block,
                   std::size_t shared_bytes, const void* kernel, void** args);

// launch() of engine/backend/cuda/launch.h ends here.
template <typename Call, typename... Parameters>
void run_kernel(GpuBackend& backend, const Call& call, void (*kernel)(Parameters...),
                std::type_identity_t<Parameters>... args) {
  void* pointers[] = {const_cast<void*>(static_cast<const void*>(&args))...};
  run_on_device(backend, call.op, call.grid, call.block, call.shared_bytes,
                reinterpret_cast<const void*>(kernel), pointers);
}

}  // namespace lathe::cuda
