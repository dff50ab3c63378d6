// The gradient of rows looked up in a table, in a fixed order without atomics: the tokens of a
// range are sorted by (id, position), then the rows of each id are added in order.
#pragma once

#include "engine/backend/cuda/device/pack.cuh"

namespace lathe::LATHE_GPU {

// Tokens that one block sorts, and bits of a position among them.
constexpr int kSortTokens = 4096;
constexpr int kSortBits = 12;

// order[block * kSortTokens + i] = the position, within the block's range of kSortTokens tokens, of
// the i-th one by (id, position). `size`, a power of two, is at least the longest range. Batcher's
// bitonic sort (1968) of keys id << kSortBits | position.
static __global__ void __launch_bounds__(1024)
    sort_tokens_kernel(const int* ids, Index tokens, Index vocab, int size, unsigned short* order) {
  auto* const keys = shared_memory<unsigned long long>();
  const int threads = static_cast<int>(blockDim.x);
  const int thread = static_cast<int>(threadIdx.x);
  const Index first = static_cast<Index>(blockIdx.x) * kSortTokens;
  for (int i = thread; i < size; i += threads) {
    unsigned long long key = ~0ull;
    if (first + i < tokens && i < kSortTokens) {
      const Index id = ids[first + i];
      if (id < 0 || id >= vocab) {
        __trap();
      }
      key = static_cast<unsigned long long>(id) << kSortBits | static_cast<unsigned>(i);
    }
    keys[i] = key;
  }
  __syncthreads();
  for (int run = 2; run <= size; run *= 2) {
    for (int distance = run / 2; distance > 0; distance /= 2) {
      for (int pair = thread; pair < size / 2; pair += threads) {
        const int low = 2 * pair - pair % distance;
        const unsigned long long a = keys[low];
        const unsigned long long b = keys[low + distance];
        const bool ascending = (low & run) == 0;
        if (ascending == (a > b)) {
          keys[low] = b;
          keys[low + distance] = a;
        }
      }
      __syncthreads();
    }
  }
  for (int i = thread; i < size && first + i < tokens; i += threads) {
    order[first + i] = static_cast<unsigned short>(keys[i] & ((1u << kSortBits) - 1));
  }
}

// dtable[id] += the rows of dout at that id, for one sorted range of `count` tokens: a warp for
// each place i where an id begins and for 32 * kWidth columns, blockIdx.y. 4 bytes an element of
// dout and 8 of each row of dtable that occurs.
template <int kWidth>
static __global__ void add_rows_kernel(const float* dout, const int* ids,
                                       const unsigned short* order, float* dtable, Index count,
                                       Index width) {
  const Index begin = first_item() / 32;
  const Index lane = threadIdx.x % 32;
  const Index column = (static_cast<Index>(blockIdx.y) * 32 + lane) * kWidth;
  if (begin >= count || column >= width) {
    return;
  }
  const Index id = ids[order[begin]];
  if (begin > 0 && ids[order[begin - 1]] == id) {
    return;
  }
  float* const to = dtable + id * width + column;
  Pack<kWidth> sum = load_pack<kWidth>(to);
  constexpr int kAhead = 4;
  Index i = begin;
  for (; i + kAhead <= count && ids[order[i + kAhead - 1]] == id; i += kAhead) {
    Pack<kWidth> rows[kAhead];
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      rows[ahead] = load_pack<kWidth>(dout + order[i + ahead] * width + column);
    }
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      for (int j = 0; j < kWidth; ++j) {
        sum.at[j] += rows[ahead].at[j];
      }
    }
  }
  for (; i < count && ids[order[i]] == id; ++i) {
    const Pack<kWidth> row = load_pack<kWidth>(dout + order[i] * width + column);
    for (int j = 0; j < kWidth; ++j) {
      sum.at[j] += row.at[j];
    }
  }
  store_pack(to, sum);
}

}  // namespace lathe::LATHE_GPU
