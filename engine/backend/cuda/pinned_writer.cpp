// See pinned_writer.h.
#include "engine/backend/cuda/pinned_writer.h"

#include <algorithm>
#include <cstring>

#include "engine/backend/cuda/cuda_check.h"
#include "engine/backend/cuda/uncaptured_calls.h"

namespace lathe::cuda {

// Also while a stream is being captured.
PinnedBytes::PinnedBytes(std::int64_t bytes) {
  const UncapturedCalls allowed;
  CUDA_CHECK(cudaMallocHost(reinterpret_cast<void**>(&data_), static_cast<std::size_t>(bytes)));
}

// Failures are not told: a device that was lost has nothing left to free.
PinnedBytes::~PinnedBytes() {
  cudaFreeHost(data_);
}

PinnedWriter::PinnedWriter(cudaStream_t stream) : stream_(stream) {
  for (Half& half : halves_) {
    CUDA_CHECK(cudaEventCreateWithFlags(&half.copied, cudaEventDisableTiming));
  }
}

// Failures are not told: a device that was lost has nothing left to free.
PinnedWriter::~PinnedWriter() {
  for (Half& half : halves_) {
    cudaEventDestroy(half.copied);
  }
}

// The half that is being filled while it has room, else the other one, once its copies are done.
PinnedWriter::Half& PinnedWriter::half_for(std::int64_t bytes) {
  if (halves_[filling_].used + bytes > kHalfBytes) {
    CUDA_CHECK(cudaEventRecord(halves_[filling_].copied, stream_));
    filling_ = 1 - filling_;
    CUDA_CHECK(cudaEventSynchronize(halves_[filling_].copied));
    halves_[filling_].used = 0;
  }
  return halves_[filling_];
}

void PinnedWriter::write(void* to, const void* from, std::int64_t bytes) {
  for (std::int64_t done = 0; done < bytes;) {
    const std::int64_t piece = std::min(kHalfBytes, bytes - done);
    Half& half = half_for(piece);
    std::byte* const room = half.bytes.data() + half.used;
    const auto size = static_cast<std::size_t>(piece);
    std::memcpy(room, static_cast<const std::byte*>(from) + done, size);
    CUDA_CHECK(cudaMemcpyAsync(static_cast<std::byte*>(to) + done, room, size,
                               cudaMemcpyHostToDevice, stream_));
    half.used += piece;
    done += piece;
  }
}

}  // namespace lathe::cuda
