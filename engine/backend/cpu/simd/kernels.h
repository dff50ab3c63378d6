// The inner loops of the cpu back end as a table of functions on plain pointers. The same sources
// are compiled once per instruction set (CMakeLists.txt); the best table that the processor can run
// is chosen when the program runs. Nothing here starts threads.
#pragma once

#include <cstdint>

#include "engine/backend/cpu/simd/attention_args.h"
#include "engine/backend/cpu/simd/palette_args.h"
#include "engine/ops/activation_kind.h"
#include "engine/quant/dynamic_map.h"
#include "engine/quant/table_decode.h"
#include "engine/tensor/dtype.h"

namespace lathe::cpu {

// One row of logits and its teacher's, both less their greatest and divided by a temperature;
// `share` and the like: 1 / the sum of the exponentials, times what scales that term.
struct DistillRow {
  float* logits;
  const float* teacher;
  std::int64_t count;
  float top = 0, teacher_top = 0;
  float inverse_temperature = 1;
  float plain_share = 0, own_share = 0, taught_share = 0;
};

// One range of AdamW; the corrections are 1 / (1 - beta^step).
struct AdamwRange {
  float* weight;
  const float* gradient;
  float* m;
  float* v;
  std::int64_t count;
  float lr, beta1, beta2, eps, weight_decay, grad_scale, correction1, correction2;
};

// Sub-tokens, one behind the other: `size` neighbours each, and one number that stands for them.
struct SubtokenRange {
  const float* direction;  // [size]
  std::int64_t size, count;
};

// AdamW of `count` sub-tokens of a weight, whose gradients and moments are one number each. The
// rest is as AdamwRange has it.
struct SubtokenStep {
  SubtokenRange range;
  AdamwRange by;
};

// A block of a moment: `count` codes and what they are times of.
struct MomentBlock {
  DynamicMap map;
  std::uint8_t* codes;
  float* absmax;
  std::int64_t count;
};

struct LayernormForwardRow {
  const float* x;
  const float* gain;
  const float* bias;  // or null
  float* y;
  float* mean;  // or null
  float* rstd;  // or null
  std::int64_t width;
  float eps;
};

struct LayernormBackwardRow {
  const float* dy;
  const float* x;
  const float* gain;
  const float* dx_add;  // or null
  float* dx;
  float* dgain_sums;  // added to
  float* dbias_sums;  // added to, or null
  std::int64_t width;
  float mean, rstd;
};

struct RmsnormBackwardRow {
  const float *dy, *x, *gain;
  const float* dx_add;  // or null
  float* dx;
  float* dgain_sums;  // added to
  std::int64_t width;
  float rstd;
};

// One position: the pairs of every head are turned by the angles whose cosines and sines are given;
// sign is -1 to turn back. A pair is (i, i + head_dim/2), or (2i, 2i + 1) if interleaved.
struct RopeRow {
  float* x;
  const float* cosines;
  const float* sines;
  std::int64_t heads, head_dim;
  float sign;
  bool interleaved;
};

struct SwigluBackwardRange {
  const float* dh;
  const float* gate;
  const float* up;
  float* dgate;
  float* dup;
  float* h;  // or null
  std::int64_t count;
};

// Products of `count` stored rows of a weight, one behind the other, with up to kPackedFewRows rows
// of x.
struct PackedRows {
  DType dtype;
  StoredMatrix matrix;  // where the type has tables, the weight, of whose rows `first` is the first
  std::int64_t first;
  const unsigned char* stored;
  std::int64_t count;
  std::int64_t row_bytes;
  std::int64_t chunk_bytes;  // of 256 elements
  const float* x;            // [rows][width]
  std::int64_t rows, width;
  float* sums;  // [count][rows]
};

// Integer products of `count` rows of an int8_row matrix with `rows` rows of codes, all of `width`,
// a multiple of 16: sums[n * stride + o].
struct Int8Rows {
  const std::int8_t* weights;
  const std::int8_t* codes;
  std::int64_t count, rows, width;
  std::int32_t* sums;
  std::int64_t stride;
};

struct Kernels {
  const char* name;
  void (*add)(const float* a, const float* b, float* out, std::int64_t count);
  void (*scale)(float* x, float factor, std::int64_t count);
  double (*sum_squares)(const float* x, std::int64_t count);
  void (*activation_forward)(Activation kind, const float* x, float* y, std::int64_t count);
  void (*activation_backward)(Activation kind, const float* x, const float* dy, float* dx,
                              std::int64_t count);
  void (*swiglu_forward)(const float* gate, const float* up, float* h, std::int64_t count);
  void (*swiglu_backward)(const SwigluBackwardRange& range);
  // Returns 1 / rms.
  float (*rmsnorm_forward)(const float* x, const float* gain, float* y, std::int64_t width,
                           float eps);
  void (*rmsnorm_backward)(const RmsnormBackwardRow& row);
  void (*rope)(const RopeRow& row);
  void (*layernorm_forward)(const LayernormForwardRow& row);
  void (*layernorm_backward)(const LayernormBackwardRow& row);
  float (*row_max)(const float* x, std::int64_t count);
  bool (*all_finite)(const float* x, std::int64_t count);
  // Sum of exp(x - offset).
  double (*exp_sum)(const float* x, float offset, std::int64_t count);
  // The same, and x becomes exp(x - offset).
  double (*exp_sum_in_place)(float* x, float offset, std::int64_t count);
  // Sum of exp(factor * (x - offset)).
  double (*scaled_exp_sum)(const float* x, float offset, float factor, std::int64_t count);
  // Sum of exp(u) (u - v), u the teacher's and v the row's own.
  double (*distill_distance)(const DistillRow& row);
  // The logits become plain_share exp(logit - top) + own_share exp(v) - taught_share exp(u).
  void (*distill_gradient)(const DistillRow& row);
  void (*adamw)(const AdamwRange& range);
  // z[j] = x[j] . direction.
  void (*subtoken_project)(const SubtokenRange& range, const float* x, float* z);
  // x[j] = beta x[j] + alpha z[j] direction; of beta 0 x is not read.
  void (*subtoken_rebuild)(const SubtokenRange& range, const float* z, float* x, float alpha,
                           float beta);
  void (*adamw_subtokens)(const SubtokenStep& step);
  void (*decode_moment)(const MomentBlock& block, float* out);
  void (*encode_moment)(const float* x, const MomentBlock& block);
  // To the nearest.
  void (*round_to_bf16)(const float* x, std::uint16_t* out, std::int64_t count);
  void (*attention_forward)(const AttentionForwardTile& tile);
  void (*attention_backward)(const AttentionBackwardHead& head);
  void (*attention_row)(const AttentionRow& row);
  void (*packed_dots)(const PackedRows& weight);
  // `count` elements that are whole blocks.
  void (*decode)(DType dtype, const unsigned char* stored, float* out, std::int64_t count);
  // `count` columns, whole blocks, of a matrix of a type that has tables.
  void (*decode_with_tables)(const StoredMatrix& matrix, std::int64_t row, std::int64_t column,
                             float* out, std::int64_t count);
  PaletteKernels palette;
  // left_out[i] becomes 1 where |x| does not stay below the limit.
  void (*int8_outliers)(const float* x, float limit, std::int32_t* left_out, std::int64_t count);
  // The largest |x| of what is not left out, and the codes for int8_factor() of a row's largest;
  // left_out: [count], not 0 where it is.
  float (*int8_largest)(const float* x, const std::int32_t* left_out, std::int64_t count);
  void (*int8_codes)(const float* x, const std::int32_t* left_out, float factor, std::int8_t* codes,
                     std::int64_t count);
  void (*int8_dots)(const Int8Rows& product);
};

// The best table for this processor.
const Kernels& kernels();

}  // namespace lathe::cpu
