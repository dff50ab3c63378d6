// Pinned host memory through which bytes go to the device on one stream, without waiting for them
// to arrive: two halves, of which one is filled while the other is copied.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace lathe::cuda {

// Host memory that a device reads without the processor.
class PinnedBytes {
 public:
  // Throws DeviceError.
  explicit PinnedBytes(std::int64_t bytes);
  ~PinnedBytes();
  PinnedBytes(const PinnedBytes&) = delete;
  PinnedBytes& operator=(const PinnedBytes&) = delete;

  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
};

class PinnedWriter {
 public:
  // Throws DeviceError.
  explicit PinnedWriter(cudaStream_t stream);
  ~PinnedWriter();
  PinnedWriter(const PinnedWriter&) = delete;
  PinnedWriter& operator=(const PinnedWriter&) = delete;

  // Returns when the bytes have been read.
  void write(void* to, const void* from, std::int64_t bytes);

 private:
  static constexpr std::int64_t kHalfBytes = 4 << 20;
  // Half of the memory, and when the copies out of it are done.
  struct Half {
    PinnedBytes bytes{kHalfBytes};
    cudaEvent_t copied = nullptr;
    std::int64_t used = 0;
  };
  Half& half_for(std::int64_t bytes);

  cudaStream_t stream_;
  std::array<Half, 2> halves_;
  std::size_t filling_ = 0;
};

}  // namespace lathe::cuda
