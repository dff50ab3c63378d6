// Attention forward on tensor cores. Scores pass through shared memory, where a lane or two own a
// row, so that maxima and sums need no exchange, and come back as weights in the same place.
#pragma once

#include "engine/backend/cuda/device/attention_forward.cuh"
#include "engine/backend/cuda/device/tensor_tile.cuh"

namespace lathe::LATHE_GPU {

template <typename Format, int kDim, int kKeys>
struct TensorForward {
  using Stored = typename Format::Stored;
  static constexpr int kEdges = Format::kForwardEdges;
  static constexpr int kWarpRows = kEdges * kEdge;
  static constexpr int kTile = kWarps * kWarpRows;
  static constexpr int kPitch = kDim + Format::kGap;
  static constexpr int kScorePitch = kKeys + 4;
  static constexpr int kWeightPitch = kScorePitch * 4 / static_cast<int>(sizeof(Stored));
  static constexpr int kLanes = 32 / kWarpRows;  // of a row
  static constexpr int kShare = kKeys / kLanes;
  // Two lanes of a row would write weights over each other's scores if these were larger.
  static_assert(kLanes == 1 || sizeof(Stored) == sizeof(float));
  static constexpr std::size_t kBytes =
      (kTile + 2 * kKeys) * kPitch * sizeof(Stored) + 4 * kTile * (kScorePitch + 3);

  Stored *queries, *keys, *values;
  float *scores, *factors;
  int *first, *last;
  // This warp's.
  int row;  // its first in the tile
  float top = -INFINITY;
  float sum = 0.0f;

  __device__ explicit TensorForward(unsigned char* shared) {
    queries = reinterpret_cast<Stored*>(shared);
    keys = queries + kTile * kPitch;
    values = keys + kKeys * kPitch;
    scores = reinterpret_cast<float*>(values + kKeys * kPitch);
    factors = scores + kTile * kScorePitch;
    first = reinterpret_cast<int*>(factors + kTile);
    last = first + kTile;
    row = warp_of_block() * kWarpRows;
    scores += row * kScorePitch;
    factors += row;
  }

  // This lane's part of its row of scores becomes weights; true if what was summed before is
  // relative to another top, in which case factors say to what it scales.
  __device__ bool take_scores(int key, float scale) {
    const int mine = lane_of_warp() / kLanes;
    const int part = lane_of_warp() % kLanes * kShare;
    const float* const from = scores + mine * kScorePitch + part;
    const int begin = first[row + mine] - key - part;
    const int end = last[row + mine] - key - part;
    float greatest = top;
    for (int i = 0; i < kShare; ++i) {
      greatest = i >= begin && i <= end ? fmaxf(greatest, from[i] * scale) : greatest;
    }
    if (kLanes == 2) {
      greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffu, greatest, 1));
    }
    const float correction = expf(top - finite_top(greatest));
    top = greatest;
    sum *= correction;
    factors[mine] = correction;
    Stored* const to = reinterpret_cast<Stored*>(scores + mine * kScorePitch) + part;
#pragma unroll 1
    for (int i = 0; i < kShare; i += 4) {
      float weight[4];
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        const bool seen = i + n >= begin && i + n <= end;
        weight[n] = seen ? expf(from[i + n] * scale - finite_top(greatest)) : 0.0f;
        sum += weight[n];
      }
      __syncwarp();  // these scores are read before weights of another type take their place
      *reinterpret_cast<typename Format::Four*>(to + i) =
          Format::rounded(make_float4(weight[0], weight[1], weight[2], weight[3]));
    }
    return __any_sync(0xffffffffu, correction == 1.0f ? 0 : 1) != 0;
  }

  // The row's logarithm of summed weights; factors become what its sums are divided by.
  __device__ float finish() {
    if (kLanes == 2) {
      sum += __shfl_xor_sync(0xffffffffu, sum, 1);
    }
    factors[lane_of_warp() / kLanes] = 1.0f / sum;
    return sum == 0.0f ? NAN : top + logf(sum);
  }

  __device__ void scale(Sums<Format> (&out)[kEdges][kDim / kEdge],
                        const Places<Format>& places) const {
#pragma unroll
    for (int m = 0; m < kEdges; ++m) {
#pragma unroll
      for (int i = 0; i < Sums<Format>::num_elements; ++i) {
        const float factor = factors[m * kEdge + places.row(i)];
#pragma unroll
        for (int c = 0; c < kDim / kEdge; ++c) {
          out[m][c].x[i] *= factor;
        }
      }
    }
  }

  // out += what the keys from `key` on add, whose tiles are there.
  __device__ void add_keys(int key, float scores_scale, const Places<Format>& places,
                           Sums<Format> (&out)[kEdges][kDim / kEdge]) {
    {
      Sums<Format> products[kEdges][kKeys / kEdge];
      multiply_rows<Format, kDim>(queries + row * kPitch, keys, products);
#pragma unroll
      for (int m = 0; m < kEdges; ++m) {
#pragma unroll
        for (int j = 0; j < kKeys / kEdge; ++j) {
          wmma::store_matrix_sync(scores + m * kEdge * kScorePitch + j * kEdge, products[m][j],
                                  kScorePitch, wmma::mem_row_major);
        }
      }
    }
    __syncwarp();
    const bool changed = take_scores(key, scores_scale);
    __syncwarp();
    if (changed) {
      scale(out, places);
    }
    add_weighted<Format, kDim, kKeys>(reinterpret_cast<const Stored*>(scores), kWeightPitch, values,
                                      out);
  }
};

template <typename Format, int kDim, int kKeys>
static __global__ void __launch_bounds__(kAttentionThreads)
    attention_tensor_kernel(AttentionShape shape, const float* q, const float* k, const float* v,
                            float* out, float* lse) {
  using Tile = TensorForward<Format, kDim, kKeys>;
  Tile tile(shared_memory<unsigned char>());
  const ForwardPlace place(shape, Tile::kTile, 1);
  const HeadRows keys = key_rows(shape, k, place.b, place.head / shape.group());
  const HeadRows values = key_rows(shape, v, place.b, place.head / shape.group());
  const Places<Format> places(tile.scores);
  load_rounded<Format, kDim, Tile::kTile>(tile.queries, query_rows(shape, q, place.b, place.head),
                                          place.row);
  load_visible<Tile::kTile>(shape, place.b, place.row, tile.first, tile.last);
  __syncthreads();
  const KeySpan span = part_of(seen_together<Tile::kTile>(tile.first, tile.last), kKeys, 0, 1);
  Sums<Format> sums[Tile::kEdges][kDim / kEdge];
  set_zero<Format>(sums);
  for (int key = span.begin; key < span.end; key += kKeys) {
    load_rounded<Format, kDim, kKeys>(tile.keys, keys, key);
    load_rounded<Format, kDim, kKeys>(tile.values, values, key);
    __syncthreads();
    tile.add_keys(key, shape.scale, places, sums);
    __syncthreads();
  }
  const float row_lse = tile.finish();
  __syncwarp();
  tile.scale(sums, places);
  const HeadRows rows = query_rows(shape, out, place.b, place.head);
#pragma unroll
  for (int m = 0; m < Tile::kEdges; ++m) {
    store_rows<Format>(out + (rows.data - out), rows, place.row + tile.row + m * kEdge, sums[m],
                       tile.scores);
  }
  const Index row = place.row + tile.row + lane_of_warp() / Tile::kLanes;
  if (lse != nullptr && row < shape.rows() && lane_of_warp() % Tile::kLanes == 0) {
    const int head = place.head + static_cast<int>(row % shape.packed);
    lse[(place.b * shape.heads + head) * shape.queries + row / shape.packed] = row_lse;
  }
}

}  // namespace lathe::LATHE_GPU
