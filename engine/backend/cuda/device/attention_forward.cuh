// Attention forward, softmax over tiles of keys as they come (Dao et al. 2022, algorithm 1): a
// block keeps a tile of queries in shared memory and their sums in registers while keys and values
// pass.
#pragma once

#include "engine/backend/cuda/device/attention_tile.cuh"

namespace lathe::LATHE_GPU {

// Where results go: out and, if asked, lse; or, with more than one split of the keys, for row
// (b, t, head) and split s the record partial[row * splits + s] of head_dim + 2 numbers: greatest
// score, sum of weights relative to it, and the sums that they weight.
struct AttentionResults {
  float* out;
  float* lse;
  float* partial;
  int splits;
};

// Where a block works. Blocks with the most keys come first.
struct ForwardPlace {
  Index b, row, split;
  int head;  // the first of its set

  __device__ ForwardPlace(const AttentionShape& shape, int tile_rows, int splits) {
    const int sets = shape.heads / shape.packed;
    Index item = blockIdx.x;
    head = static_cast<int>(item % sets) * shape.packed;
    item /= sets;
    b = item % shape.batch;
    item /= shape.batch;
    split = item % splits;
    const Index tiles = (shape.rows() + tile_rows - 1) / tile_rows;
    row = (tiles - 1 - item / splits) * tile_rows;
  }
};

// The keys first[row] .. last[row] that each of a tile's rows sees; of rows that are not there,
// none. The caller waits for the block.
template <int kTile>
__device__ void load_visible(const AttentionShape& shape, Index b, Index first_row, int* first,
                             int* last) {
  for (int i = static_cast<int>(threadIdx.x); i < kTile; i += kAttentionThreads) {
    const Index row = first_row + i;
    const Index t = row / shape.packed;
    first[i] = row < shape.rows() ? shape.first_of(b, t) : 0x7fffffff;
    last[i] = row < shape.rows() ? shape.last_key(t) : -1;
  }
}

// The keys [begin, end) that a tile's rows see taken together.
struct KeySpan {
  int begin = 0x7fffffff, end = 0;
};
template <int kTile>
__device__ KeySpan seen_together(const int* first, const int* last) {
  KeySpan span;
  for (int i = 0; i < kTile; ++i) {
    span.begin = first[i] < span.begin ? first[i] : span.begin;
    span.end = last[i] >= span.end ? last[i] + 1 : span.end;
  }
  return span;
}

// The part of a block's tiles of keys that is its split's; empty ones end before they begin.
__device__ inline KeySpan part_of(const KeySpan& span, int tile, Index split, int splits) {
  const int begin = span.begin / tile;
  const int per_split = ((span.end + tile - 1) / tile - begin + splits - 1) / splits;
  const int first = begin + static_cast<int>(split) * per_split;
  const int end = (first + per_split) * tile;
  return {first * tile, end < span.end ? end : span.end};
}

template <int kDim, int kRows>
struct ForwardSums {
  float top[kRows];  // the greatest score so far
  float sum[kRows];  // of this thread's weights relative to it
  float out[kRows][kDim / kThreadColumns];
};

// Scores become weights, in shared memory too; what was summed so far is scaled to the new top. A
// NaN among the scores, which no maximum shows, goes on as a weight.
template <int kDim, int kRows, int kColumns>
__device__ void take_scores(ForwardSums<kDim, kRows>& sums, float (&scores)[kRows][kColumns],
                            int key, float scale, const int* first, const int* last,
                            float* weights) {
  key += thread_column();
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const int row = thread_row() + kThreadRows * i;
    float top = sums.top[i];
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const int at = key + kThreadColumns * j;
      scores[i][j] = at >= first[row] && at <= last[row] ? scores[i][j] * scale : -INFINITY;
      top = fmaxf(top, scores[i][j]);
    }
    top = reduce_row(top, GreatestNumber());
    const float from = finite_top(top);
    const float correction = expf(sums.top[i] - from);
    sums.top[i] = top;
    sums.sum[i] *= correction;
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const float weight = expf(scores[i][j] - from);
      sums.sum[i] += weight;
      weights[row * (kColumns * kThreadColumns + kTileGap) + thread_column() + kThreadColumns * j] =
          weight;
    }
#pragma unroll
    for (int c = 0; c < kDim / kThreadColumns; ++c) {
      sums.out[i][c] *= correction;
    }
  }
}

template <int kDim, int kRows>
__device__ void store_results(const AttentionShape& shape, const ForwardPlace& place,
                              const ForwardSums<kDim, kRows>& sums, const AttentionResults& to) {
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const Index row = place.row + thread_row() + kThreadRows * i;
    const float sum = reduce_row(sums.sum[i], Sum());
    if (row >= shape.rows()) {
      continue;
    }
    const Index t = row / shape.packed;
    const int head = place.head + static_cast<int>(row % shape.packed);
    const Index item = (place.b * shape.queries + t) * shape.heads + head;
    if (to.splits > 1) {
      float* const record = to.partial + (item * to.splits + place.split) * (shape.head_dim + 2);
      record[0] = sums.top[i];
      record[1] = sum;
      store_row<kDim>(record + 2, sums.out[i], 1.0f, shape.head_dim);
      continue;
    }
    store_row<kDim>(to.out + item * shape.head_dim, sums.out[i], 1.0f / sum, shape.head_dim);
    if (to.lse != nullptr && thread_column() == 0) {
      to.lse[(place.b * shape.heads + head) * shape.queries + t] =
          sum == 0.0f ? NAN : sums.top[i] + logf(sum);
    }
  }
}

// Shared memory in bytes: the queries, keys or values in turn, the weights, the visible keys.
template <int kDim, int kRows, int kColumns>
constexpr std::size_t forward_bytes() {
  constexpr int kTile = kRows * kThreadRows;
  constexpr int kKeys = kColumns * kThreadColumns;
  return 4 * static_cast<std::size_t>((kTile + kKeys) * (kDim + kTileGap) +
                                      kTile * (kKeys + kTileGap) + 2 * kTile);
}

template <int kDim, int kRows, int kColumns>
static __global__ void __launch_bounds__(kAttentionThreads)
    attention_forward_kernel(AttentionShape shape, const float* q, const float* k, const float* v,
                             AttentionResults to) {
  constexpr int kTile = kRows * kThreadRows;
  constexpr int kKeys = kColumns * kThreadColumns;
  auto* const queries = shared_memory<float>();
  float* const tile = queries + kTile * (kDim + kTileGap);
  float* const weights = tile + kKeys * (kDim + kTileGap);
  int* const first = reinterpret_cast<int*>(weights + kTile * (kKeys + kTileGap));
  int* const last = first + kTile;
  const ForwardPlace place(shape, kTile, to.splits);
  const int kv_head = place.head / shape.group();
  const HeadRows keys = key_rows(shape, k, place.b, kv_head);
  const HeadRows values = key_rows(shape, v, place.b, kv_head);
  load_tile<kDim, kTile>(queries, query_rows(shape, q, place.b, place.head), place.row);
  load_visible<kTile>(shape, place.b, place.row, first, last);
  __syncthreads();
  const KeySpan span = part_of(seen_together<kTile>(first, last), kKeys, place.split, to.splits);
  ForwardSums<kDim, kRows> sums;
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    sums.top[i] = -INFINITY;
    sums.sum[i] = 0.0f;
#pragma unroll
    for (int c = 0; c < kDim / kThreadColumns; ++c) {
      sums.out[i][c] = 0.0f;
    }
  }
  for (int key = span.begin; key < span.end; key += kKeys) {
    load_tile<kDim, kKeys>(tile, keys, key);
    __syncthreads();
    float scores[kRows][kColumns];
    multiply_rows<kDim>(queries, tile, scores);
    __syncthreads();
    load_tile<kDim, kKeys>(tile, values, key);
    take_scores(sums, scores, key, shape.scale, first, last, weights);
    __syncthreads();
    add_weighted<kDim, kKeys>(weights, tile, sums.out);
    __syncthreads();
  }
  store_results(shape, place, sums, to);
}

}  // namespace lathe::LATHE_GPU
