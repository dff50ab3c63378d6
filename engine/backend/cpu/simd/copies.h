// Declares the kernels of the copy that is being compiled: LATHE_ISA is its namespace.
#pragma once

#include "engine/backend/cpu/simd/kernels.h"

namespace lathe::cpu::LATHE_ISA {

void add(const float* a, const float* b, float* out, std::int64_t count);
void scale(float* x, float factor, std::int64_t count);
double sum_squares(const float* x, std::int64_t count);
void activation_forward(Activation kind, const float* x, float* y, std::int64_t count);
void activation_backward(Activation kind, const float* x, const float* dy, float* dx,
                         std::int64_t count);
void swiglu_forward(const float* gate, const float* up, float* h, std::int64_t count);
void swiglu_backward(const SwigluBackwardRange& range);
float rmsnorm_forward(const float* x, const float* gain, float* y, std::int64_t width, float eps);
void rmsnorm_backward(const RmsnormBackwardRow& row);
void rope(const RopeRow& row);
void layernorm_forward(const LayernormForwardRow& row);
void layernorm_backward(const LayernormBackwardRow& row);
float row_max(const float* x, std::int64_t count);
bool all_finite(const float* x, std::int64_t count);
double exp_sum(const float* x, float offset, std::int64_t count);
double exp_sum_in_place(float* x, float offset, std::int64_t count);
double scaled_exp_sum(const float* x, float offset, float factor, std::int64_t count);
double distill_distance(const DistillRow& row);
void distill_gradient(const DistillRow& row);
void adamw(const AdamwRange& range);
void subtoken_project(const SubtokenRange& range, const float* x, float* z);
void subtoken_rebuild(const SubtokenRange& range, const float* z, float* x, float alpha,
                      float beta);
void adamw_subtokens(const SubtokenStep& step);
void decode_moment(const MomentBlock& block, float* out);
void encode_moment(const float* x, const MomentBlock& block);
void round_to_bf16(const float* x, std::uint16_t* out, std::int64_t count);
void attention_forward(const AttentionForwardTile& tile);
void attention_backward(const AttentionBackwardHead& head);
void attention_row(const AttentionRow& row);
void packed_dots(const PackedRows& weight);
void decode(DType dtype, const unsigned char* stored, float* out, std::int64_t count);
void decode_with_tables(const StoredMatrix& matrix, std::int64_t row, std::int64_t column,
                        float* out, std::int64_t count);
void palette_codes(DType codes, const float* w, float scale, std::int32_t* out, std::int64_t count);
void palette_iterate(const PaletteRule& rule, const PaletteBlock& block, double* sums);
void palette_apply(const PaletteRule& rule, const PaletteBlock& block, const float* values,
                   float* out);
void palette_nearest(const PaletteRule& rule, const PaletteBlock& block, const float* values,
                     float* out);
void palette_pull(const PaletteRule& rule, const PaletteBlock& block, const float* g, double* sums);
void palette_backward(const PaletteRule& rule, const PaletteBlock& block,
                      const PaletteSlopes& slopes, double* dc);
void int8_outliers(const float* x, float limit, std::int32_t* left_out, std::int64_t count);
float int8_largest(const float* x, const std::int32_t* left_out, std::int64_t count);
void int8_codes(const float* x, const std::int32_t* left_out, float factor, std::int8_t* codes,
                std::int64_t count);
void int8_dots(const Int8Rows& product);

}  // namespace lathe::cpu::LATHE_ISA
