// Flash attention (Dao et al. 2022) on tiles of kTile rows: forward with the online softmax,
// backward from the stored log-sum-exp (algorithm 4). Every product is one small matrix kernel on
// packed tiles; scratch holds at most the tiles in use, never a T x T matrix. Rows beyond the
// sequence's end are zero in packed tiles, and their scores are masked.
#include "engine/backend/cpu/simd/copies.h"
#include "engine/backend/cpu/simd/small_matmul.h"
#include "engine/ops/attention_tile.h"

namespace lathe::cpu::LATHE_ISA {
namespace {

constexpr std::int64_t kTile = kAttentionTile;

inline std::int64_t padded(std::int64_t head_dim) {
  return (head_dim + 15) / 16 * 16;
}

inline std::int64_t smaller(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}

void zero(float* x, std::int64_t count) {
  __builtin_memset(x, 0, static_cast<std::size_t>(count) * sizeof(float));
}

void copy(const float* from, float* to, std::int64_t count) {
  __builtin_memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
}

// Rows [first, first + count) of a head, padded with zeros to kTile rows of `width`.
void pack(const HeadRows& rows, std::int64_t first, std::int64_t count, std::int64_t head_dim,
          std::int64_t width, float* to) {
  for (std::int64_t row = 0; row < count; ++row) {
    copy(rows.data + (first + row) * rows.stride, to + row * width, head_dim);
    zero(to + row * width + head_dim, width - head_dim);
  }
  zero(to + count * width, (kTile - count) * width);
}

// to[i][row] = from[row][i]
void transpose(const float* from, std::int64_t width, float* to) {
  for (std::int64_t i = 0; i < width; ++i) {
    for (std::int64_t row = 0; row < kTile; ++row) {
      to[i * kTile + row] = from[row * width + i];
    }
  }
}

void unpack(const float* from, std::int64_t width, const HeadRows& rows, std::int64_t first,
            std::int64_t count, std::int64_t head_dim, bool add_to) {
  for (std::int64_t row = 0; row < count; ++row) {
    float* to = rows.data + (first + row) * rows.stride;
    for (std::int64_t i = 0; i < head_dim; ++i) {
      to[i] = add_to ? to[i] + from[row * width + i] : from[row * width + i];
    }
  }
}

// Scores of keys after the query get -inf; `first` are positions.
void mask_future(float* scores, std::int64_t first_query, std::int64_t first_key) {
  for (std::int64_t row = 0; row < kTile; ++row) {
    for (std::int64_t column = 0; column < kTile; ++column) {
      if (first_key + column > first_query + row) {
        scores[row * kTile + column] = -__builtin_inff();
      }
    }
  }
}

// One row of the online softmax: scores become weights; returns the factor for what was summed.
float soften_row(float* scores, float scale, float* top, float* sum) {
  Vector highest = splat(-__builtin_inff());
  for (std::int64_t at = 0; at < kTile; at += kLanes) {
    highest = larger(load(scores, Full{at}), highest);
  }
  const float row_top = max_of(highest) * scale;
  const float new_top = row_top > *top ? row_top : *top;
  Vector sums{};
  for (std::int64_t at = 0; at < kTile; at += kLanes) {
    const Vector weight = exp_of(load(scores, Full{at}) * scale - new_top);
    store(scores, Full{at}, weight);
    sums += weight;
  }
  const float factor = exp_of(splat(*top - new_top))[0];
  *sum = *sum * factor + sum_of(sums);
  *top = new_top;
  return factor;
}

}  // namespace

void attention_forward(const AttentionForwardTile& tile) {
  const std::int64_t width = padded(tile.head_dim);
  float* q = tile.scratch;
  float* k = q + kTile * width;
  float* k_transposed = k + kTile * width;
  float* out = k_transposed + kTile * width;
  float* scores = out + kTile * width;
  float* tops = scores + kTile * kTile;
  float* sums = tops + kTile;
  const std::int64_t queries = smaller(kTile, tile.seq_len - tile.first_query);
  pack(tile.q, tile.first_query, queries, tile.head_dim, width, q);
  zero(out, kTile * width);
  for (std::int64_t row = 0; row < kTile; ++row) {
    tops[row] = -__builtin_inff();
    sums[row] = 0.0f;
  }
  for (std::int64_t key = 0; key <= tile.first_query; key += kTile) {
    const std::int64_t keys = smaller(kTile, tile.seq_len - key);
    pack(tile.k, key, keys, tile.head_dim, width, k);
    transpose(k, width, k_transposed);
    zero(scores, kTile * kTile);
    small_matmul({.a = q, .a_row = width, .a_step = 1}, k_transposed, scores,
                 {.m = kTile, .n = kTile, .k = width});
    if (key == tile.first_query) {
      mask_future(scores, tile.first_query, key);
    }
    pack(tile.v, key, keys, tile.head_dim, width, k);
    for (std::int64_t row = 0; row < kTile; ++row) {
      const float factor = soften_row(scores + row * kTile, tile.scale, tops + row, sums + row);
      for (std::int64_t at = 0; at < width; at += kLanes) {
        store(out + row * width, Full{at}, load(out + row * width, Full{at}) * factor);
      }
    }
    small_matmul({.a = scores, .a_row = kTile, .a_step = 1}, k, out,
                 {.m = kTile, .n = width, .k = kTile});
  }
  for (std::int64_t row = 0; row < queries; ++row) {
    const float inverse = 1.0f / sums[row];
    for (std::int64_t at = 0; at < width; at += kLanes) {
      store(out + row * width, Full{at}, load(out + row * width, Full{at}) * inverse);
    }
    if (tile.lse != nullptr) {
      tile.lse[tile.first_query + row] =
          tops[row] + static_cast<float>(__builtin_log(static_cast<double>(sums[row])));
    }
  }
  unpack(out, width, tile.out, tile.first_query, queries, tile.head_dim, false);
}

namespace {

// Scratch of the backward pass, in tiles of [kTile][width] and [kTile][kTile].
struct BackwardTiles {
  float *k, *k_transposed, *v_transposed, *dk, *dv, *q, *dout, *dq, *weights, *dweights;
};

BackwardTiles split(float* scratch, std::int64_t width) {
  const std::int64_t size = kTile * width;
  float* scores = scratch + 8 * size;
  return {.k = scratch,
          .k_transposed = scratch + size,
          .v_transposed = scratch + 2 * size,
          .dk = scratch + 3 * size,
          .dv = scratch + 4 * size,
          .q = scratch + 5 * size,
          .dout = scratch + 6 * size,
          .dq = scratch + 7 * size,
          .weights = scores,
          .dweights = scores + kTile * kTile};
}

// weights: scores -> softmax weights; dweights -> gradient of the scaled scores.
void soften_backward(const AttentionBackwardHead& head, const BackwardTiles& tiles,
                     std::int64_t width, std::int64_t query, std::int64_t queries) {
  for (std::int64_t row = 0; row < kTile; ++row) {
    float* weights = tiles.weights + row * kTile;
    float* dweights = tiles.dweights + row * kTile;
    if (row >= queries) {
      zero(weights, kTile);
      zero(dweights, kTile);
      continue;
    }
    const float* dout = tiles.dout + row * width;
    const float* out = head.out.data + (query + row) * head.out.stride;
    Vector products{};
    sweep(head.head_dim, [&](auto part) { products += load(dout, part) * load(out, part); });
    const float shared = sum_of(products);
    const float lse = head.lse[query + row];
    for (std::int64_t at = 0; at < kTile; at += kLanes) {
      const Vector p = exp_of(load(weights, Full{at}) * head.scale - lse);
      store(weights, Full{at}, p);
      store(dweights, Full{at}, p * (load(dweights, Full{at}) - shared) * head.scale);
    }
  }
}

void backward_tile(const AttentionBackwardHead& head, const BackwardTiles& tiles,
                   std::int64_t width, std::int64_t key, std::int64_t query) {
  const std::int64_t queries = smaller(kTile, head.seq_len - query);
  pack(head.q, query, queries, head.head_dim, width, tiles.q);
  pack(head.dout, query, queries, head.head_dim, width, tiles.dout);
  zero(tiles.weights, kTile * kTile);
  zero(tiles.dweights, kTile * kTile);
  zero(tiles.dq, kTile * width);
  small_matmul({.a = tiles.q, .a_row = width, .a_step = 1}, tiles.k_transposed, tiles.weights,
               {.m = kTile, .n = kTile, .k = width});
  small_matmul({.a = tiles.dout, .a_row = width, .a_step = 1}, tiles.v_transposed, tiles.dweights,
               {.m = kTile, .n = kTile, .k = width});
  if (key == query) {
    mask_future(tiles.weights, query, key);
  }
  soften_backward(head, tiles, width, query, queries);
  small_matmul({.a = tiles.weights, .a_row = 1, .a_step = kTile}, tiles.dout, tiles.dv,
               {.m = kTile, .n = width, .k = kTile});
  small_matmul({.a = tiles.dweights, .a_row = 1, .a_step = kTile}, tiles.q, tiles.dk,
               {.m = kTile, .n = width, .k = kTile});
  small_matmul({.a = tiles.dweights, .a_row = kTile, .a_step = 1}, tiles.k, tiles.dq,
               {.m = kTile, .n = width, .k = kTile});
  unpack(tiles.dq, width, head.dq, query, queries, head.head_dim, key > 0);
}

}  // namespace

void attention_backward(const AttentionBackwardHead& head) {
  const std::int64_t width = padded(head.head_dim);
  const BackwardTiles tiles = split(head.scratch, width);
  for (std::int64_t key = 0; key < head.seq_len; key += kTile) {
    const std::int64_t keys = smaller(kTile, head.seq_len - key);
    pack(head.v, key, keys, head.head_dim, width, tiles.k);
    transpose(tiles.k, width, tiles.v_transposed);
    pack(head.k, key, keys, head.head_dim, width, tiles.k);
    transpose(tiles.k, width, tiles.k_transposed);
    zero(tiles.dk, kTile * width);
    zero(tiles.dv, kTile * width);
    for (std::int64_t query = key; query < head.seq_len; query += kTile) {
      backward_tile(head, tiles, width, key, query);
    }
    unpack(tiles.dk, width, head.dk, key, keys, head.head_dim, !head.first);
    unpack(tiles.dv, width, head.dv, key, keys, head.head_dim, !head.first);
  }
}

}  // namespace lathe::cpu::LATHE_ISA
