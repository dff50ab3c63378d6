// CUDA_CHECK, one of the project's three macros: every call of the CUDA runtime, the driver and
// cuBLAS goes through it, and what they refuse becomes a DeviceError that names call and place.
#pragma once

#include <cublas_v2.h>
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <string_view>

namespace lathe::cuda {

// Throw DeviceError unless the status is success; `call` is its text.
void check(cudaError_t status, std::string_view call, const char* file, int line);
void check(CUresult status, std::string_view call, const char* file, int line);
void check(cublasStatus_t status, std::string_view call, const char* file, int line);

}  // namespace lathe::cuda

#define CUDA_CHECK(call) ::lathe::cuda::check((call), #call, __FILE__, __LINE__)
