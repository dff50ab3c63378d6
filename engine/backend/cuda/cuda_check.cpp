// What CUDA's three interfaces say of a failure, as one kind of error.
#include "engine/backend/cuda/cuda_check.h"

#include <fmt/core.h>

#include "engine/backend/cuda/cublas.h"
#include "engine/backend/device_error.h"

namespace lathe::cuda {
namespace {

[[noreturn]] void fail(std::string_view call, std::string_view said, const char* file, int line) {
  throw DeviceError(
      fmt::format("{} failed: {} ({}:{})", call.substr(0, call.find('(')), said, file, line));
}

}  // namespace

void check(cudaError_t status, std::string_view call, const char* file, int line) {
  if (status != cudaSuccess) {
    fail(call, fmt::format("{}, {}", cudaGetErrorName(status), cudaGetErrorString(status)), file,
         line);
  }
}

void check(CUresult status, std::string_view call, const char* file, int line) {
  if (status != CUDA_SUCCESS) {
    fail(call, fmt::format("driver error {}", static_cast<int>(status)), file, line);
  }
}

void check(cublasStatus_t status, std::string_view call, const char* file, int line) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    fail(call, cublas()->status_text(status), file, line);
  }
}

}  // namespace lathe::cuda
