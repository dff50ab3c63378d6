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

// Below every score; finite, so that a row of which a tile shows nothing has weights of zero.
constexpr float kLowest = -1e30f;

inline std::int64_t padded(std::int64_t head_dim) {
  return (head_dim + 15) / 16 * 16;
}

inline std::int64_t smaller(std::int64_t a, std::int64_t b) {
  return a < b ? a : b;
}

void zero(float* x, std::int64_t count) {
  __builtin_memset(x, 0, static_cast<std::size_t>(count) * sizeof(float));
}

// Rows [first, first + count) of a head, padded with zeros to kTile rows of `width`.
void pack(const HeadRows& rows, std::int64_t first, std::int64_t count, std::int64_t head_dim,
          std::int64_t width, float* to) {
  for (std::int64_t row = 0; row < count; ++row) {
    const float* from = rows.data + (first + row) * rows.stride;
    float* packed = to + row * width;
    sweep(head_dim, [=](auto part) { store(packed, part, load(from, part)); });
    for (std::int64_t i = head_dim; i < width; ++i) {
      packed[i] = 0.0f;
    }
  }
  zero(to + count * width, (kTile - count) * width);
}

// to[i][row] = from[row][i]
void transpose(const float* from, std::int64_t width, float* to) {
  Vector square[kLanes];
  for (std::int64_t row = 0; row < kTile; row += kLanes) {
    for (std::int64_t column = 0; column < width; column += kLanes) {
      for (std::int64_t i = 0; i < kLanes; ++i) {
        square[i] = load(from + (row + i) * width, Full{column});
      }
      transpose_square(square);
      for (std::int64_t i = 0; i < kLanes; ++i) {
        store(to + (column + i) * kTile, Full{row}, square[i]);
      }
    }
  }
}

// The reverse of pack.
void unpack(const float* from, std::int64_t width, const HeadRows& rows, std::int64_t first,
            std::int64_t count, std::int64_t head_dim, bool add_to) {
  for (std::int64_t row = 0; row < count; ++row) {
    float* to = rows.data + (first + row) * rows.stride;
    const float* packed = from + row * width;
    sweep(head_dim, [=](auto part) {
      const Vector value = load(packed, part);
      store(to, part, add_to ? load(to, part) + value : value);
    });
  }
}

// Scores of a row that are looked at: on the diagonal those up to the query, rounded up to 16.
inline std::int64_t row_end(bool diagonal, std::int64_t row) {
  return diagonal ? (row + 16) / 16 * 16 : kTile;
}

// Where a tile of queries stands against a tile of keys.
struct Meeting {
  std::int64_t ahead;  // position of the first query minus that of the first key
  bool causal;
  // On the diagonal both begin at one position, so that half of the products are left out.
  bool diagonal() const { return causal && ahead == 0; }
};

inline std::int64_t first_position(const AttentionSpan& span, std::int64_t query) {
  return span.keys - span.queries + query;
}

// The first tile of keys that any of the queries sees.
std::int64_t first_key_tile(const AttentionSpan& span, std::int64_t query, std::int64_t queries) {
  if (span.first_key == nullptr) {
    return 0;
  }
  std::int64_t first = span.first_key[query];
  for (std::int64_t row = 1; row < queries; ++row) {
    first = smaller(first, span.first_key[query + row]);
  }
  return first / kTile * kTile;
}

// Keys that a query does not see get -inf, up to row_end; rows beyond `queries` are left.
void mask_unseen(float* scores, const AttentionSpan& span, std::int64_t query, std::int64_t key,
                 const Meeting& meeting) {
  const std::int64_t queries = smaller(kTile, span.queries - query);
  for (std::int64_t row = 0; row < queries; ++row) {
    const std::int64_t future = meeting.causal ? row + meeting.ahead + 1 : span.keys - key;
    for (std::int64_t column = future > 0 ? future : 0; column < row_end(meeting.diagonal(), row);
         ++column) {
      scores[row * kTile + column] = -__builtin_inff();
    }
  }
  for (std::int64_t row = 0; row < queries && span.first_key != nullptr; ++row) {
    const std::int64_t unseen = smaller(kTile, span.first_key[query + row] - key);
    for (std::int64_t column = 0; column < unseen; ++column) {
      scores[row * kTile + column] = -__builtin_inff();
    }
  }
}

// What the online softmax knows of each row: its greatest scaled score and the sum of exponentials
// so far; and the factor by which both the sum and the output shrink when a greater score comes.
struct RowState {
  float* tops;
  float* sums;
  float* factors;
};

// Scores become weights, exp(score * scale - top).
void soften(float* scores, float scale, bool diagonal, const RowState& state) {
  float before[kTile];
  __builtin_memcpy(before, state.tops, sizeof before);
  for (std::int64_t row = 0; row < kTile; ++row) {
    Vector highest = splat(-__builtin_inff());
    for (std::int64_t at = 0; at < row_end(diagonal, row); at += kLanes) {
      highest = larger(load(scores + row * kTile, Full{at}), highest);
    }
    const float top = max_of(highest) * scale;
    state.tops[row] = top > before[row] ? top : before[row];
  }
  for (std::int64_t at = 0; at < kTile; at += kLanes) {
    const Vector change = load(before, Full{at}) - load(state.tops, Full{at});
    const Vector factor = exp_of(change);
    store(state.factors, Full{at}, factor);
    store(state.sums, Full{at}, load(state.sums, Full{at}) * factor);
  }
  for (std::int64_t row = 0; row < kTile; ++row) {
    float* weights = scores + row * kTile;
    const float top = state.tops[row];
    Vector sums{};
    for (std::int64_t at = 0; at < row_end(diagonal, row); at += kLanes) {
      const Vector weight = exp_of(load(weights, Full{at}) * scale - top);
      store(weights, Full{at}, weight);
      sums += weight;
    }
    state.sums[row] += sum_of(sums);
  }
}

// Each row of the output so far times its factor.
void shrink(float* out, std::int64_t width, const float* factors) {
  for (std::int64_t row = 0; row < kTile; ++row) {
    for (std::int64_t at = 0; at < width; at += kLanes) {
      store(out + row * width, Full{at}, load(out + row * width, Full{at}) * factors[row]);
    }
  }
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
  float factors[kTile];
  const RowState state{tops, sums, factors};
  const std::int64_t queries = smaller(kTile, tile.span.queries - tile.first_query);
  const std::int64_t position = first_position(tile.span, tile.first_query);
  const std::int64_t first = first_key_tile(tile.span, tile.first_query, queries);
  pack(tile.q, tile.first_query, queries, tile.head_dim, width, q);
  for (std::int64_t row = 0; row < kTile; ++row) {
    tops[row] = kLowest;
    sums[row] = 0.0f;
  }
  const std::int64_t end = tile.span.causal ? position + queries : tile.span.keys;
  for (std::int64_t key = first; key < end; key += kTile) {
    const Meeting meeting{position - key, tile.span.causal};
    const bool diagonal = meeting.diagonal();
    const std::int64_t keys = smaller(kTile, tile.span.keys - key);
    pack(tile.k, key, keys, tile.head_dim, width, k);
    transpose(k, width, k_transposed);
    small_matmul({.a = q,
                  .a_row = width,
                  .a_step = 1,
                  .b = k_transposed,
                  .c = scores,
                  .m = kTile,
                  .n = kTile,
                  .k = width,
                  .part = diagonal ? Part::kResultLower : Part::kAll});
    mask_unseen(scores, tile.span, tile.first_query, key, meeting);
    soften(scores, tile.scale, diagonal, state);
    if (key > first) {
      shrink(out, width, state.factors);
    }
    pack(tile.v, key, keys, tile.head_dim, width, k);
    small_matmul({.a = scores,
                  .a_row = kTile,
                  .a_step = 1,
                  .b = k,
                  .c = out,
                  .m = kTile,
                  .n = width,
                  .k = kTile,
                  .add_to = key > first,
                  .part = diagonal ? Part::kLeftLower : Part::kAll});
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
                     std::int64_t width, std::int64_t query, bool diagonal) {
  const std::int64_t queries = smaller(kTile, head.span.queries - query);
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
    for (std::int64_t at = 0; at < row_end(diagonal, row); at += kLanes) {
      const Vector p = exp_of(load(weights, Full{at}) * head.scale - lse);
      store(weights, Full{at}, p);
      store(dweights, Full{at}, p * (load(dweights, Full{at}) - shared) * head.scale);
    }
  }
}

// to = rows times vectors: scores, or their gradient.
void score_product(const float* rows, const float* transposed, float* to, std::int64_t width,
                   bool diagonal) {
  small_matmul({.a = rows,
                .a_row = width,
                .a_step = 1,
                .b = transposed,
                .c = to,
                .m = kTile,
                .n = kTile,
                .k = width,
                .part = diagonal ? Part::kResultLower : Part::kAll});
}

// sums += weights^T rows, the gradient of keys or values.
void key_product(const float* weights, const float* rows, float* sums, std::int64_t width,
                 bool diagonal) {
  small_matmul({.a = weights,
                .a_row = 1,
                .a_step = kTile,
                .b = rows,
                .c = sums,
                .m = kTile,
                .n = width,
                .k = kTile,
                .add_to = true,
                .part = diagonal ? Part::kLeftUpper : Part::kAll});
}

void backward_tile(const AttentionBackwardHead& head, const BackwardTiles& tiles,
                   std::int64_t width, std::int64_t key, std::int64_t query) {
  const Meeting meeting{first_position(head.span, query) - key, head.span.causal};
  const bool diagonal = meeting.diagonal();
  const std::int64_t queries = smaller(kTile, head.span.queries - query);
  const std::int64_t first = first_key_tile(head.span, query, queries);
  if (key < first) {
    return;
  }
  pack(head.q, query, queries, head.head_dim, width, tiles.q);
  pack(head.dout, query, queries, head.head_dim, width, tiles.dout);
  score_product(tiles.q, tiles.k_transposed, tiles.weights, width, diagonal);
  score_product(tiles.dout, tiles.v_transposed, tiles.dweights, width, diagonal);
  mask_unseen(tiles.weights, head.span, query, key, meeting);
  soften_backward(head, tiles, width, query, diagonal);
  key_product(tiles.weights, tiles.dout, tiles.dv, width, diagonal);
  key_product(tiles.dweights, tiles.q, tiles.dk, width, diagonal);
  small_matmul({.a = tiles.dweights,
                .a_row = kTile,
                .a_step = 1,
                .b = tiles.k,
                .c = tiles.dq,
                .m = kTile,
                .n = width,
                .k = kTile,
                .part = diagonal ? Part::kLeftLower : Part::kAll});
  unpack(tiles.dq, width, head.dq, query, queries, head.head_dim, key > first);
}

}  // namespace

void attention_backward(const AttentionBackwardHead& head) {
  const std::int64_t width = padded(head.head_dim);
  const BackwardTiles tiles = split(head.scratch, width);
  const std::int64_t before = first_position(head.span, 0);
  for (std::int64_t key = 0; key < head.span.keys; key += kTile) {
    const std::int64_t keys = smaller(kTile, head.span.keys - key);
    pack(head.v, key, keys, head.head_dim, width, tiles.k);
    transpose(tiles.k, width, tiles.v_transposed);
    pack(head.k, key, keys, head.head_dim, width, tiles.k);
    transpose(tiles.k, width, tiles.k_transposed);
    zero(tiles.dk, kTile * width);
    zero(tiles.dv, kTile * width);
    // The first tile of queries whose last row sees the first of these keys.
    const std::int64_t first =
        head.span.causal && key > before ? (key - before) / kTile * kTile : 0;
    for (std::int64_t query = first; query < head.span.queries; query += kTile) {
      backward_tile(head, tiles, width, key, query);
    }
    unpack(tiles.dk, width, head.dk, key, keys, head.head_dim, !head.first);
    unpack(tiles.dv, width, head.dv, key, keys, head.head_dim, !head.first);
  }
}

}  // namespace lathe::cpu::LATHE_ISA
