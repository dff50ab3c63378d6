// Leave to make memory while a stream of this thread is being captured: what is made belongs to no
// graph.
#pragma once

#include <cuda_runtime_api.h>

#include "engine/backend/cuda/cuda_check.h"

namespace lathe::cuda {

// As long as it lives.
class UncapturedCalls {
 public:
  // Throws DeviceError.
  UncapturedCalls() { CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode_)); }
  // What the mode was is what it becomes.
  ~UncapturedCalls() { cudaThreadExchangeStreamCaptureMode(&mode_); }
  UncapturedCalls(const UncapturedCalls&) = delete;
  UncapturedCalls& operator=(const UncapturedCalls&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace lathe::cuda
