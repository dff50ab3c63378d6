// How the sources of the cuda back end start a kernel, on a device or simulated. Both ways include
// a language.h first (engine/backend/CMakeLists.txt), which says what run_kernel() is: that of
// cuda/ calls the CUDA runtime, that of simt/ runs the kernel on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "engine/backend/cuda/gpu_backend.h"

namespace lathe::LATHE_GPU {

inline constexpr unsigned kWarpThreads = 32;
// Threads of a block where a kernel has no reason for another number.
inline constexpr unsigned kBlockThreads = 256;

struct KernelCall {
  std::string_view op;  // for messages
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;  // of the block's shared memory, shared_memory<T>() in the kernel
};

// Blocks that `items` fill. Grids have at most 2^31 - 1 of them in x.
inline unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  const std::int64_t blocks = (items + per_block - 1) / per_block;
  CHECK(blocks <= 0x7fffffff, "a grid has fewer than 2^31 blocks");
  return static_cast<unsigned>(blocks);
}

// As blocks_for, but no more than fill the device several times over: for kernels that stride.
inline unsigned strided_blocks(std::int64_t items, std::int64_t per_block) {
  constexpr std::int64_t kMost = 132 * 16;
  const std::int64_t blocks = (items + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < kMost ? blocks : kMost);
}

// Puts kernel(args...) on the stream; nothing for an empty grid. Throws DeviceError, naming op and
// grid, where the device refuses.
template <typename... Parameters>
void launch(Backend& backend, const KernelCall& call, void (*kernel)(Parameters...),
            std::type_identity_t<Parameters>... args) {
  if (call.grid.x == 0 || call.grid.y == 0 || call.grid.z == 0) {
    return;
  }
  run_kernel(gpu(backend), call, kernel, args...);
}

}  // namespace lathe::LATHE_GPU
