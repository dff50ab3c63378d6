// CUDA's language as plain C++: included before everything else where the sources of the cuda back
// end are compiled for the CPU (engine/backend/simt/CMakeLists.txt), so that they read as CUDA
// does. What stands here is what those sources use; what is missing does not compile, and is added
// here. Semantics: CUDA C++ Programming Guide 13.0, sections 10.4 (built-in variables), 10.6
// (synchronisation), 10.14 (atomics), 10.19-10.22 (votes and shuffles).
#pragma once

#include <cstdint>
#include <cstring>
#include <source_location>
#include <string>
#include <type_traits>

#include "engine/backend/device_error.h"
#include "engine/backend/simt/block.h"
#include "engine/backend/simt/half_types.h"
#include "engine/backend/simt/numbers.h"
#include "engine/backend/simt/simt_backend.h"
#include "engine/backend/simt/vector_types.h"
#include "engine/backend/simt/wmma.h"

// Where code runs means nothing here: all of it runs on the CPU.
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)

using lathe::simt::blockDim;
using lathe::simt::blockIdx;
using lathe::simt::dim3;
using lathe::simt::gridDim;
using lathe::simt::threadIdx;
using Place = std::source_location;

inline constexpr int warpSize = lathe::simt::kWarp;
inline constexpr unsigned kAllLanes = 0xffffffffu;

inline void __syncthreads(Place place = Place::current()) {
  lathe::simt::wait_for_block(place);
}
inline void __syncwarp(unsigned mask = kAllLanes, Place place = Place::current()) {
  lathe::simt::exchange(mask, 0, place);
}

namespace lathe::simt {

// What every lane of the mask put in, by lane, as `T`.
template <typename T>
T lane_value(const Exchanged& values, int lane) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t) && std::is_trivially_copyable_v<T>);
  T value;
  std::memcpy(&value, &values[static_cast<std::size_t>(lane)], sizeof value);
  return value;
}
template <typename T>
std::uint64_t lane_bits(T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

// The value of `source`, a lane of this warp; a lane outside the mask has none.
template <typename T>
T shuffle(unsigned mask, T value, int source, Place place) {
  const Exchanged& values = exchange(mask, lane_bits(value), place);
  check_lane(mask, source, place);
  return lane_value<T>(values, source);
}

}  // namespace lathe::simt

template <typename T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize,
              Place place = Place::current()) {
  const int first = lathe::simt::lane() / width * width;
  return lathe::simt::shuffle(mask, value, first + (source & (width - 1)), place);
}
template <typename T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = warpSize,
                  Place place = Place::current()) {
  const int lane = lathe::simt::lane();
  const int source = lane ^ bits;
  return lathe::simt::shuffle(mask, value, source / width > lane / width ? lane : source, place);
}
template <typename T>
T __shfl_down_sync(unsigned mask, T value, int distance, int width = warpSize,
                   Place place = Place::current()) {
  const int lane = lathe::simt::lane();
  const bool within = lane % width + distance < width;
  return lathe::simt::shuffle(mask, value, within ? lane + distance : lane, place);
}
template <typename T>
T __shfl_up_sync(unsigned mask, T value, int distance, int width = warpSize,
                 Place place = Place::current()) {
  const int lane = lathe::simt::lane();
  const bool within = lane % width >= distance;
  return lathe::simt::shuffle(mask, value, within ? lane - distance : lane, place);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, Place place = Place::current()) {
  const auto& values = lathe::simt::exchange(mask, predicate != 0 ? 1 : 0, place);
  unsigned votes = 0;
  for (int lane = 0; lane < warpSize; ++lane) {
    if ((mask >> lane & 1u) != 0 && values[static_cast<std::size_t>(lane)] != 0) {
      votes |= 1u << lane;
    }
  }
  return votes;
}
inline int __any_sync(unsigned mask, int predicate, Place place = Place::current()) {
  return __ballot_sync(mask, predicate, place) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate, Place place = Place::current()) {
  return __ballot_sync(mask, predicate, place) == mask ? 1 : 0;
}

// Fibers change only where they wait, so a plain update is an atomic one. Of integers alone: floats
// would be added in the order in which blocks happen to come, and no run would repeat itself.
template <typename T>
T atomicAdd(T* at, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T>);
  const T before = *at;
  *at = before + value;
  return before;
}
template <typename T>
T atomicMax(T* at, std::type_identity_t<T> value) {
  const T before = *at;
  *at = before < value ? value : before;
  return before;
}

// What ends a grid, and on a device all that follows.
[[noreturn]] inline void __trap(Place place = Place::current()) {
  throw lathe::DeviceError(std::string("trap at ") + place.file_name() + ":" +
                           std::to_string(place.line()));
}

namespace lathe::simt {

// The block's shared memory as `T`; see launch().
template <typename T>
T* shared_memory() {
  return static_cast<T*>(shared_bytes());
}

// launch() of engine/backend/cuda/launch.h ends here.
template <typename Call, typename... Parameters>
void run_kernel(GpuBackend& backend, const Call& call, void (*kernel)(Parameters...),
                std::type_identity_t<Parameters>... args) {
  if (call.shared_bytes > backend.shared_limit_bytes()) {
    throw DeviceError(std::string(call.op) + " wants " + std::to_string(call.shared_bytes) +
                      " bytes of shared memory, and a block may have " +
                      std::to_string(backend.shared_limit_bytes()));
  }
  SimtBackend& device = static_cast<SimtBackend&>(backend);
  device.perform([op = std::string(call.op), call, turns = device.turns(), kernel, args...] {
    run_grid({.op = op,
              .grid = call.grid,
              .block = call.block,
              .shared_bytes = call.shared_bytes,
              .turns = turns},
             [&] { kernel(args...); });
  });
}

}  // namespace lathe::simt
