// The shape of a decoder-only transformer (RMSNorm, RoPE, grouped-query attention, SwiGLU).
#pragma once

#include <cstdint>

#include "engine/base/describe.h"

namespace lathe {

struct ModelConfig {
  std::int64_t dim = 128;
  std::int64_t layers = 4;
  std::int64_t heads = 4;
  std::int64_t kv_heads = 0;
  std::int64_t ff_dim = 0;
  std::int64_t vocab_size = 0;
  bool tied = true;
  double norm_eps = 1e-5;
  double rope_theta = 10000.0;
  double init_std = 0.02;

  // The fields with their "0 means" resolved.
  std::int64_t kv_head_count() const { return kv_heads == 0 ? heads : kv_heads; }
  std::int64_t ff_width() const { return ff_dim != 0 ? ff_dim : (dim * 8 / 3 + 31) / 32 * 32; }
  std::int64_t head_dim() const { return dim / heads; }

  static constexpr auto fields() {
    using C = ModelConfig;
    return std::tuple{
        field("dim", &C::dim,
              {.lo = 8,
               .hi = 16384,
               .log = true,
               .sweep = true,
               .structural = true,
               .unit = "channels",
               .help = "width of the residual stream"}),
        field("layers", &C::layers,
              {.lo = 1,
               .hi = 256,
               .sweep = true,
               .structural = true,
               .help = "number of decoder blocks"}),
        field("heads", &C::heads,
              {.lo = 1,
               .hi = 256,
               .sweep = true,
               .structural = true,
               .help = "attention heads; must divide dim into even head widths"}),
        field(
            "kv_heads", &C::kv_heads,
            {.lo = 0,
             .hi = 256,
             .sweep = true,
             .structural = true,
             .help = "key and value heads (grouped-query attention); must divide heads; 0 means as "
                     "many as heads"}),
        field("ff_dim", &C::ff_dim,
              {.lo = 0,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .structural = true,
               .unit = "channels",
               .help = "hidden width of the SwiGLU block; 0 means 8/3 of dim, rounded up to 32"}),
        field("vocab_size", &C::vocab_size,
              {.lo = 0,
               .hi = 1 << 20,
               .structural = true,
               .unit = "tokens",
               .help = "size of the embedding; 0 means that of the tokenizer"}),
        field("tied", &C::tied,
              {.sweep = true,
               .structural = true,
               .help = "the head shares its weight with the embedding"}),
        field("norm_eps", &C::norm_eps,
              {.lo = 1e-12,
               .hi = 1e-2,
               .log = true,
               .structural = true,
               .help = "added to the mean square in RMSNorm"}),
        field("rope_theta", &C::rope_theta,
              {.lo = 1,
               .hi = 1e9,
               .log = true,
               .structural = true,
               .help = "base of the rotary position frequencies"}),
        field("init_std", &C::init_std,
              {.lo = 1e-6,
               .hi = 1,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "standard deviation of the initial weights; output projections get "
                       "init_std / sqrt(2 layers) (GPT-2)"})};
  }
};
static_assert(complete<ModelConfig>());

}  // namespace lathe
