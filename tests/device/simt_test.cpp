// The simulation itself: what CUDA's threads do to each other, and what must be an error.
#include <gmock/gmock.h>

#include "engine/backend/device_error.h"
#include "engine/backend/simt/language.h"
#include "engine/backend/sums.h"

namespace lathe::simt {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

constexpr unsigned kThreads = 96;

void run_block(const std::function<void()>& thread, Turns turns = Turns::kAscending) {
  run_grid({.op = "trial",
            .grid = 2,
            .block = kThreads,
            .shared_bytes = kThreads * sizeof(float),
            .turns = turns},
           thread);
}

TEST(Simt, ThreadsMeetAtBarriers) {
  for (const Turns turns : {Turns::kAscending, Turns::kDescending}) {
    std::vector<float> seen(2 * kThreads, -1.0f);
    run_block(
        [&] {
          auto* const shared = shared_memory<float>();
          shared[threadIdx.x] = static_cast<float>(threadIdx.x + 1000 * blockIdx.x);
          __syncthreads();
          const float other = shared[kThreads - 1 - threadIdx.x];
          __syncthreads();
          shared[threadIdx.x] = 0.0f;
          seen[blockIdx.x * kThreads + threadIdx.x] = other;
        },
        turns);
    for (unsigned i = 0; i < 2 * kThreads; ++i) {
      EXPECT_EQ(seen[i], static_cast<float>(kThreads - 1 - i % kThreads + 1000 * (i / kThreads)));
    }
  }
}

// What a missing barrier does: the two orders see different values, one of them NaN.
TEST(Simt, ARaceShowsInTheOrderOfTurns) {
  std::vector<float> seen;
  for (const Turns turns : {Turns::kAscending, Turns::kDescending}) {
    run_block(
        [&] {
          auto* const shared = shared_memory<float>();
          shared[threadIdx.x] = 1.0f;
          if (threadIdx.x == 0 && blockIdx.x == 0) {
            seen.push_back(shared[kThreads - 1]);
          }
        },
        turns);
  }
  EXPECT_TRUE(std::isnan(seen[0]));
  EXPECT_EQ(seen[1], 1.0f);
}

// Whether the two orders of turns see different values.
bool orders_differ(const std::function<float(float*)>& thread) {
  std::vector<std::vector<float>> seen;
  for (const Turns turns : {Turns::kAscending, Turns::kDescending}) {
    std::vector<float>& values = seen.emplace_back(kThreads);
    run_block([&] { values[threadIdx.x] = thread(shared_memory<float>()); }, turns);
  }
  return seen[0] != seen[1];
}

// Behind the first barrier nothing is NaN any more.
TEST(Simt, ARaceBehindABarrierShows) {
  for (const unsigned distance : {1u, 32u}) {
    EXPECT_TRUE(orders_differ([&](float* shared) {
      shared[threadIdx.x] = 0.0f;
      __syncthreads();
      shared[threadIdx.x] = 1.0f;
      return shared[(threadIdx.x + distance) % kThreads];
    }));
  }
}

// A fast warp writes the next value where slow ones have yet to read this one.
TEST(Simt, ARaceForMemoryThatIsUsedAgainShows) {
  const auto total = [](float* shared, float value, bool waits) {
    if (threadIdx.x % 32 == 0) {
      shared[threadIdx.x / 32] = value;
    }
    __syncthreads();
    const float sum = __shfl_xor_sync(kAllLanes, shared[0] + shared[1] + shared[2], 1);
    if (waits) {
      __syncthreads();
    }
    return sum;
  };
  for (const bool waits : {true, false}) {
    EXPECT_EQ(orders_differ([&](float* shared) {
                const float first = total(shared, 1.0f, waits);
                return first + total(shared, 10.0f, waits);
              }),
              !waits);
  }
}

TEST(Simt, ShufflesAndVotes) {
  run_block([] {
    const int lane = static_cast<int>(threadIdx.x % 32);
    EXPECT_EQ(__shfl_xor_sync(kAllLanes, lane, 5), lane ^ 5);
    EXPECT_EQ(__shfl_sync(kAllLanes, 2.0 * lane, 7), 14.0);
    EXPECT_EQ(__shfl_sync(kAllLanes, lane, 3, 8), lane / 8 * 8 + 3);
    EXPECT_EQ(__shfl_down_sync(kAllLanes, lane, 4), lane < 28 ? lane + 4 : lane);
    EXPECT_EQ(__shfl_up_sync(kAllLanes, lane, 1), lane > 0 ? lane - 1 : lane);
    EXPECT_EQ(__ballot_sync(kAllLanes, lane % 2), 0xaaaaaaaau);
    EXPECT_EQ(__any_sync(kAllLanes, lane == 31 ? 1 : 0), 1);
    EXPECT_EQ(__all_sync(kAllLanes, lane == 31 ? 1 : 0), 0);
    // Halves of a warp on their own.
    const unsigned mask = lane < 16 ? 0xffffu : 0xffff0000u;
    if (lane < 16) {
      EXPECT_EQ(__shfl_xor_sync(mask, lane, 1), lane ^ 1);
    } else {
      EXPECT_EQ(__shfl_xor_sync(mask, lane + 100, 2), (lane ^ 2) + 100);
    }
    __syncwarp();
  });
}

// Kernels are named outside of the macros, in which every line is the same place.
void expect_error(const std::function<void()>& thread, const std::string& text) {
  EXPECT_THAT([&] { run_block(thread); }, ThrowsMessage<DeviceError>(HasSubstr(text)));
}

TEST(Simt, ABarrierThatSomeThreadsMissIsAnError) {
  const auto thread = [] {
    if (threadIdx.x < 40) {
      __syncthreads();
    }
  };
  expect_error(thread, "never come");
}

TEST(Simt, BarriersAtTwoPlacesAreAnError) {
  const auto thread = [] {
    if (threadIdx.x < 40) {
      __syncthreads();
    } else {
      __syncthreads();
    }
  };
  expect_error(thread, "while others wait at");
}

TEST(Simt, AShuffleNeedsEveryLaneOfItsMask) {
  const auto half = [] {
    if (threadIdx.x % 32 < 16) {
      __shfl_xor_sync(kAllLanes, 1, 1);
    }
  };
  expect_error(half, "trial");
  const auto beyond = [] {
    if (threadIdx.x % 32 < 16) {
      __shfl_sync(0xffffu, 1, 20);
    }
  };
  expect_error(beyond, "not in the mask");
}

TEST(Simt, ABlockHasWholeWarps) {
  const auto call = [] { run_grid({.op = "trial", .grid = 1, .block = 40}, [] {}); };
  EXPECT_THAT(call, ThrowsMessage<DeviceError>(HasSubstr("whole warps")));
}

// After an error the next grid runs.
TEST(Simt, ErrorsLeaveNothingBehind) {
  EXPECT_THROW(run_block([] { throw DeviceError("one"); }), DeviceError);
  int count = 0;
  run_block([&] {
    __syncthreads();
    ++count;
  });
  EXPECT_EQ(count, 2 * static_cast<int>(kThreads));
}

TEST(Simt, ATrapIsAnError) {
  const auto call = [] {
    run_block([] {
      if (threadIdx.x == 40) {
        __trap();
      }
      __syncthreads();
    });
  };
  EXPECT_THAT(call, ThrowsMessage<DeviceError>(HasSubstr("trap at")));
}

TEST(Simt, ABlockHasNoMoreSharedMemoryThanTheDeviceGives) {
  SimtBackend backend(Turns::kAscending, ProductPrecision::kF32, 1024);
  const auto floats = [&](Shape shape) {
    Tensor tensor(backend.allocator(), DType::kF32, shape, {});
    ops::fill(backend, {.out = tensor, .value = 1.0f});
    return tensor;
  };
  const Tensor x = floats({1, 20, 32}), out = floats({1, 20, 32});
  const Tensor scratch = floats({attention_workspace_elements(32, backend.parallelism())});
  const auto attend = [&] {
    ops::attention_forward(backend,
                           {.q = x, .k = x, .v = x, .out = out, .lse = {}, .workspace = scratch});
  };
  EXPECT_THAT(attend, ThrowsMessage<DeviceError>(HasSubstr("bytes of shared memory")));
}

// More rows than scratch has scores for; those that count are the first and the last.
TEST(Simt, ALossOfManyRowsComesInRanges) {
  constexpr std::int64_t kRows = 8200;
  SimtBackend backend(Turns::kAscending);
  const Tensor logits(backend.allocator(), DType::kF32, Shape{kRows, 2}, {});
  const Tensor targets(backend.allocator(), DType::kI32, Shape{kRows}, {});
  std::vector<std::int32_t> classes(kRows, -1);
  classes.front() = 0;
  classes.back() = 1;
  backend.write(targets, classes.data(), targets.ref().bytes());
  ops::fill(backend, {.out = logits, .value = 1.0f});
  const Tensor on_device(backend.allocator(), DType::kF64, Shape{kCrossEntropySums}, {});
  const std::array<double, 3> before{1.0, 5.0, 7.0};
  backend.write(on_device, before.data(), sizeof before);
  ops::cross_entropy(
      backend, {.logits = logits, .targets = targets, .sums = on_device, .write_gradient = false});
  const CrossEntropySums sums = read_cross_entropy(backend, on_device);
  EXPECT_DOUBLE_EQ(sums.loss, 1.0 + 2.0 * std::log(2.0));
  EXPECT_EQ(sums.correct, 6);
  EXPECT_EQ(sums.counted, 9);
}

// Ids are values, which no shape rule sees; those beyond the table must not reach memory.
TEST(Simt, IdsBeyondTheTableAreAnError) {
  SimtBackend backend(Turns::kAscending);
  const Tensor table(backend.allocator(), DType::kF32, Shape{4, 3}, {});
  const Tensor out(backend.allocator(), DType::kF32, Shape{1, 3}, {});
  const Tensor ids(backend.allocator(), DType::kI32, Shape{1}, {});
  for (const std::int32_t id : {-1, 4}) {
    backend.write(ids, &id, sizeof id);
    EXPECT_THROW(ops::embedding_forward(backend, {.table = table, .ids = ids, .out = out}),
                 DeviceError);
    EXPECT_THROW(ops::embedding_backward(backend, {.dout = out, .ids = ids, .dtable = table}),
                 DeviceError);
  }
}

}  // namespace
}  // namespace lathe::simt
