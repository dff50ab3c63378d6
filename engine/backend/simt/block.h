// One block of CUDA threads on one CPU thread: a fiber for each thread that waits, switched only
// where CUDA's threads wait for each other. What a device would leave undefined is an error here: a
// barrier that not all threads reach, or at different places; a shuffle of lanes that are not
// there. Shared memory has exactly the size asked for and holds NaN before the block begins.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string_view>

namespace lathe::simt {

inline constexpr int kWarp = 32;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x_extent = 1, unsigned y_extent = 1, unsigned z_extent = 1)
      : x(x_extent), y(y_extent), z(z_extent) {}
};

// CUDA's built-in variables, of the thread that runs: one simulated grid at a time in a process.
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

// In which order blocks, warps and lanes get their turn. Results that differ between the two are
// those of a race: a missing barrier, or blocks that depend on each other.
enum class Turns : std::uint8_t { kAscending, kDescending };

struct GridCall {
  std::string_view op;
  dim3 grid, block;
  std::size_t shared_bytes = 0;
  Turns turns = Turns::kAscending;
};

// Runs `thread` as every thread of the grid. Throws DeviceError (engine/backend/device_error.h)
// naming op, block and place where CUDA's rules are broken.
void run_grid(const GridCall& call, const std::function<void()>& thread);

// What the threads of a block do to each other; called by the running thread.
using Exchanged = std::array<std::uint64_t, kWarp>;
void wait_for_block(std::source_location place);
// Waits for the other lanes of the mask; what each put in, valid until the lane waits again.
const Exchanged& exchange(unsigned mask, std::uint64_t value, std::source_location place);
// An error unless `source` is a lane of the mask.
void check_lane(unsigned mask, int source, std::source_location place);
// An error at `place` unless it holds.
void require(bool holds, std::string_view rule, std::source_location place);
int lane();
void* shared_bytes();

}  // namespace lathe::simt
