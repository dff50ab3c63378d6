// The table of one compiled copy.
#include "engine/backend/cpu/simd/copies.h"

namespace lathe::cpu::LATHE_ISA {

extern const Kernels kKernels;
const Kernels kKernels{.name = LATHE_ISA_NAME,
                       .add = add,
                       .scale = scale,
                       .sum_squares = sum_squares,
                       .activation_forward = activation_forward,
                       .activation_backward = activation_backward,
                       .swiglu_forward = swiglu_forward,
                       .swiglu_backward = swiglu_backward,
                       .rmsnorm_forward = rmsnorm_forward,
                       .rmsnorm_backward = rmsnorm_backward,
                       .rope = rope,
                       .layernorm_forward = layernorm_forward,
                       .layernorm_backward = layernorm_backward,
                       .row_max = row_max,
                       .all_finite = all_finite,
                       .exp_sum = exp_sum,
                       .exp_sum_in_place = exp_sum_in_place,
                       .scaled_exp_sum = scaled_exp_sum,
                       .distill_distance = distill_distance,
                       .distill_gradient = distill_gradient,
                       .adamw = adamw,
                       .subtoken_project = subtoken_project,
                       .subtoken_rebuild = subtoken_rebuild,
                       .adamw_subtokens = adamw_subtokens,
                       .decode_moment = decode_moment,
                       .encode_moment = encode_moment,
                       .round_to_bf16 = round_to_bf16,
                       .attention_forward = attention_forward,
                       .attention_backward = attention_backward,
                       .attention_row = attention_row,
                       .packed_dots = packed_dots,
                       .decode = decode,
                       .decode_with_tables = decode_with_tables,
                       .int8_outliers = int8_outliers,
                       .int8_largest = int8_largest,
                       .int8_codes = int8_codes,
                       .int8_dots = int8_dots};

}  // namespace lathe::cpu::LATHE_ISA
