// A part of a stream as a CUDA graph: captured while ops are issued, launched as one.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cuda/pinned_writer.h"
#include "engine/backend/pool.h"

namespace lathe::cuda {

class CudaGraph final : public RecordedOps {
 public:
  // Begins to capture the stream, and to note what is taken from the pool. Throws DeviceError.
  CudaGraph(cudaStream_t stream, Pool& pool);
  ~CudaGraph() override;

  // A copy of the bytes in pinned memory that stays with the graph.
  const void* keep(const void* bytes, std::int64_t count);
  // Ends both. Precondition for what follows. Throws DeviceError.
  void finish();

  // The memory that the ops took on their way belongs to the pool, and to other tensors between two
  // launches; it is the graph's again when they are gone.
  bool valid() const override { return pool_.are_free(passing_); }
  void issue() override;

 private:
  cudaStream_t stream_;
  Pool& pool_;
  bool capturing_ = true;
  cudaGraphExec_t graph_ = nullptr;
  std::vector<Pool::Stretch> passing_;
  std::vector<std::unique_ptr<PinnedBytes>> constants_;
};

}  // namespace lathe::cuda
