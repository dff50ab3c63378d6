// The shape of a transformer. The defaults are LLaMA's (RMSNorm, RoPE, grouped-query attention,
// SwiGLU); GPT-2's, StarCoder's, a ViT's: layer norm, learned positions, a plain MLP, biases.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/describe.h"
#include "engine/nn/image_config.h"
#include "engine/nn/model_kinds.h"

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
  NormKind norm = NormKind::kRms;
  MlpKind mlp = MlpKind::kSwiglu;
  bool bias = false;
  std::int64_t head_width = 0;
  PositionKind positions = PositionKind::kRope;
  std::int64_t context = 0;
  std::int64_t window = 0;
  RopePairs rope_pairs = RopePairs::kHalves;
  RopeScalingKind rope_scaling = RopeScalingKind::kNone;
  double rope_factor = 1.0;
  double rope_low = 1.0;
  double rope_high = 4.0;
  std::int64_t rope_original_context = 8192;
  std::string from = {};
  std::string from_hash = {};
  ImageConfig image = {};

  // The fields with their "0 means" resolved.
  std::int64_t kv_head_count() const { return kv_heads == 0 ? heads : kv_heads; }
  std::int64_t ff_width() const;
  std::int64_t head_dim() const { return head_width != 0 ? head_width : dim / heads; }
  // Width of all query heads, and of all key (or value) heads.
  std::int64_t query_width() const { return head_dim() * heads; }
  std::int64_t kv_width() const { return head_dim() * kv_head_count(); }
  // A gated MLP has three linear slots (gate, up, down), another two (up, down).
  bool gated() const { return mlp == MlpKind::kSwiglu; }
  std::int64_t slots_per_block() const { return gated() ? 7 : 6; }
  // Numbers of one norm: a gain and, where there are biases, as many of those.
  std::int64_t norm_params() const { return norm == NormKind::kLayer && bias ? 2 * dim : dim; }
  RopeScaling scaling() const;
  // Images are classified; no text is read. The vocabulary is then the classes.
  bool images() const { return image.size > 0; }
  bool shares_head() const { return tied && !images(); }
  // Rows of learned positions.
  std::int64_t position_rows() const { return images() ? image.tokens() : context; }

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
              {.lo = 1, .hi = 256, .sweep = true, .structural = true, .help = "number of blocks"}),
        field("heads", &C::heads,
              {.lo = 1,
               .hi = 256,
               .sweep = true,
               .structural = true,
               .help = "attention heads; must divide dim into even head widths, unless head_width "
                       "is set"}),
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
               .help = "hidden width of the MLP; 0 means 8/3 of dim, rounded up to 32, or 4 dim "
                       "without a gate"}),
        field("vocab_size", &C::vocab_size,
              {.lo = 0,
               .hi = 1 << 20,
               .structural = true,
               .unit = "tokens",
               .help = "size of the embedding; 0 means that of the tokenizer"}),
        field(
            "tied", &C::tied,
            {.sweep = true, .structural = true, .help = "the head shares the embedding's weight"}),
        field("norm_eps", &C::norm_eps,
              {.lo = 1e-12,
               .hi = 1e-2,
               .log = true,
               .structural = true,
               .help = "added to the mean square (the variance) in the norm"}),
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
                       "init_std / sqrt(2 layers) (GPT-2)"}),
        field("norm", &C::norm,
              {.sweep = true,
               .structural = true,
               .help = "rms: RMSNorm; layer: layer norm, which also takes the mean away"}),
        field("mlp", &C::mlp,
              {.sweep = true,
               .structural = true,
               .help = "swiglu has a gate; gelu and gelu_tanh (GPT-2's approximation) have none"}),
        field("bias", &C::bias,
              {.sweep = true, .structural = true, .help = "slots and layer norms add a vector"}),
        field("head_width", &C::head_width,
              {.lo = 0,
               .hi = 1024,
               .structural = true,
               .unit = "channels",
               .help = "width of one attention head; 0 means dim / heads"}),
        field("positions", &C::positions,
              {.sweep = true,
               .structural = true,
               .help = "rope turns queries and keys; learned adds a row of a table to the input"}),
        field("context", &C::context,
              {.lo = 0,
               .hi = 1 << 24,
               .structural = true,
               .unit = "tokens",
               .help = "longest text the model is made for, rows of learned positions; 0: open"}),
        field("window", &C::window,
              {.lo = 0,
               .hi = 1 << 24,
               .structural = true,
               .unit = "tokens",
               .help = "positions that attention sees, its own the last; 0 means all"}),
        field("rope_pairs", &C::rope_pairs,
              {.structural = true,
               .help = "turned together: halves (i, i + half a head), interleaved (2i, 2i + 1)"}),
        field("rope_scaling", &C::rope_scaling,
              {.structural = true,
               .help = "how rotary waves are stretched for texts beyond the first training's"}),
        field(
            "rope_factor", &C::rope_factor,
            {.lo = 1, .hi = 1e4, .structural = true, .help = "by how much rope_scaling stretches"}),
        field("rope_low", &C::rope_low,
              {.lo = 1e-3,
               .hi = 1e3,
               .structural = true,
               .help = "llama3: waves beyond rope_original_context / rope_low are stretched"}),
        field("rope_high", &C::rope_high,
              {.lo = 1e-3,
               .hi = 1e3,
               .structural = true,
               .help = "llama3: shorter waves than rope_original_context / rope_high are kept"}),
        field("rope_original_context", &C::rope_original_context,
              {.lo = 1,
               .hi = 1 << 24,
               .structural = true,
               .unit = "tokens",
               .help = "llama3: the context of the first training"}),
        field(
            "from", &C::from,
            {.structural = true,
             .help = "model to begin with (file, folder or installed): decides shape, tokenizer"}),
        field("from_hash", &C::from_hash,
              {.structural = true, .help = "what `from` must hold; filled in when a run begins"}),
        field("image", &C::image)};
  }
};
static_assert(complete<ModelConfig>());

// Everything wrong with a config, one sentence each naming value, what is legal and the remedy.
std::vector<std::string> config_errors(const ModelConfig& model);

}  // namespace lathe
