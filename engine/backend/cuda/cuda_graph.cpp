// See cuda_graph.h.
#include "engine/backend/cuda/cuda_graph.h"

#include <cstring>

#include "engine/backend/cuda/cuda_check.h"
#include "engine/base/check.h"

namespace lathe::cuda {

// Other threads of the program go on as they like: only this one issues ops.
CudaGraph::CudaGraph(cudaStream_t stream, Pool& pool) : stream_(stream), pool_(pool) {
  CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  pool.start_noting();
}

// Waits for launches that read constants_. Failures are not told: a device that was lost has
// nothing left to free.
CudaGraph::~CudaGraph() {
  if (capturing_) {  // what was to be captured failed
    pool_.stop_noting();
    cudaGraph_t broken = nullptr;
    cudaStreamEndCapture(stream_, &broken);
    if (broken != nullptr) {
      cudaGraphDestroy(broken);
    }
    cudaGetLastError();  // of the broken capture; the next call is not to be taken for its cause
  }
  cudaStreamSynchronize(stream_);
  if (graph_ != nullptr) {
    cudaGraphExecDestroy(graph_);
  }
}

const void* CudaGraph::keep(const void* bytes, std::int64_t count) {
  constants_.push_back(std::make_unique<PinnedBytes>(count));
  std::memcpy(constants_.back()->data(), bytes, static_cast<std::size_t>(count));
  return constants_.back()->data();
}

void CudaGraph::finish() {
  passing_ = pool_.stop_noting();
  CHECK(pool_.are_free(passing_), "what is recorded gives back all that it takes");
  capturing_ = false;
  cudaGraph_t captured = nullptr;
  CUDA_CHECK(cudaStreamEndCapture(stream_, &captured));
  const cudaError_t made = cudaGraphInstantiate(&graph_, captured, 0);
  cudaGraphDestroy(captured);
  CUDA_CHECK(made);
}

void CudaGraph::issue() {
  CUDA_CHECK(cudaGraphLaunch(graph_, stream_));
}

}  // namespace lathe::cuda
