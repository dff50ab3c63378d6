// The names of weights in Hugging Face folders and GGUF files.
#include "engine/io/model_names.h"

#include <array>
#include <string_view>

namespace lathe {
namespace {

constexpr std::size_t kSchemes = 6;

// A part of a block: its name here, and in each scheme in the order of NameScheme.
struct PartNames {
  std::string_view here;
  std::array<std::string_view, kSchemes> stored;
};

constexpr std::array kBlockParts{
    PartNames{"attention_norm",
              {"input_layernorm", "ln_1", "ln_1", "attn_norm", "attn_norm", "layernorm_before"}},
    PartNames{"attention.q",
              {"self_attn.q_proj", "attn.c_attn", "attn.c_attn", "attn_q", "attn_qkv",
               "attention.attention.query"}},
    PartNames{"attention.k",
              {"self_attn.k_proj", "attn.c_attn", "attn.c_attn", "attn_k", "attn_qkv",
               "attention.attention.key"}},
    PartNames{"attention.v",
              {"self_attn.v_proj", "attn.c_attn", "attn.c_attn", "attn_v", "attn_qkv",
               "attention.attention.value"}},
    PartNames{"attention.o",
              {"self_attn.o_proj", "attn.c_proj", "attn.c_proj", "attn_output", "attn_output",
               "attention.output.dense"}},
    PartNames{
        "mlp_norm",
        {"post_attention_layernorm", "ln_2", "ln_2", "ffn_norm", "ffn_norm", "layernorm_after"}},
    PartNames{"mlp.gate", {"mlp.gate_proj", "", "", "ffn_gate", "", ""}},
    PartNames{"mlp.up",
              {"mlp.up_proj", "mlp.c_fc", "mlp.c_fc", "ffn_up", "ffn_up", "intermediate.dense"}},
    PartNames{
        "mlp.down",
        {"mlp.down_proj", "mlp.c_proj", "mlp.c_proj", "ffn_down", "ffn_down", "output.dense"}},
};
constexpr std::array kOtherParts{
    PartNames{"embedding",
              {"model.embed_tokens", "transformer.wte", "transformer.wte", "token_embd",
               "token_embd", ""}},
    PartNames{"patches", {"", "", "", "", "", "vit.embeddings.patch_embeddings.projection"}},
    PartNames{"class_token", {"", "", "", "", "", "vit.embeddings.cls_token"}},
    PartNames{"positions",
              {"", "transformer.wpe", "transformer.wpe", "", "position_embd",
               "vit.embeddings.position_embeddings"}},
    PartNames{"final_norm",
              {"model.norm", "transformer.ln_f", "transformer.ln_f", "output_norm", "output_norm",
               "vit.layernorm"}},
    PartNames{"head", {"lm_head", "lm_head", "lm_head", "output", "output", "classifier"}},
};
constexpr std::array<std::string_view, kSchemes> kBlockPrefix{
    "model.layers.", "transformer.h.", "transformer.h.", "blk.", "blk.", "vit.encoder.layer."};

template <typename Table>
std::string stored_part(const Table& table, std::string_view here, NameScheme scheme) {
  for (const PartNames& names : table) {
    if (names.here == here) {
      return std::string(names.stored[static_cast<std::size_t>(scheme)]);
    }
  }
  return "";
}

// Gathers the weights in order.
class Lister {
 public:
  Lister(const ModelConfig& model, NameScheme scheme) : model_(model), scheme_(scheme) {}

  void matrix(std::string_view part, std::int64_t rows, std::int64_t cols) {
    add(part, ".weight", {rows, cols});
  }
  void vector(std::string_view part, std::int64_t size) { add(part, ".bias", {size}); }
  void norm(std::string_view part) {
    add(part, ".gain", {model_.dim});
    if (model_.norm == NormKind::kLayer && model_.bias) {
      add(part, ".bias", {model_.dim});
    }
  }
  void linear(std::string_view part, std::int64_t out, std::int64_t in, std::int64_t first = 0) {
    matrix(part, out, in);
    const bool gguf_pairs = scheme_ == NameScheme::kGgufLlama;
    ModelTensor& weight = list_.back().tensor;
    weight.first = first;
    if (scheme_ == NameScheme::kHfGpt2) {
      weight.turn = Turn::kTransposed;
    } else if (gguf_pairs && (part == "attention.q" || part == "attention.k")) {
      weight.turn = Turn::kPairsToHalves;
      weight.heads = part == "attention.q" ? model_.heads : model_.kv_head_count();
    }
    if (model_.bias) {
      const bool pairs = weight.turn == Turn::kPairsToHalves;
      const std::int64_t heads = weight.heads;
      add(part, ".bias", {out});  // moves the list: `weight` is gone
      ModelTensor& bias = list_.back().tensor;
      bias.first = first;
      bias.turn = pairs ? Turn::kPairsToHalves : Turn::kNone;
      bias.heads = heads;
    }
  }
  void begin_block(std::int64_t index) { block_ = index; }
  void end_blocks() { block_ = -1; }
  std::vector<NamedWeight> take() { return std::move(list_); }

 private:
  void add(std::string_view part, const std::string& leaf, std::vector<std::int64_t> shape) {
    const bool inside = block_ >= 0;
    const std::string number = std::to_string(block_);
    const std::string name = (inside ? "layers." + number + "." : "") + std::string(part) + leaf;
    // What is no layer of its own has no leaf there.
    const bool bare =
        scheme_ == NameScheme::kHfVit && (part == "class_token" || part == "positions");
    const std::string stored_leaf = bare ? "" : leaf == ".bias" ? ".bias" : ".weight";
    const std::string stored = inside
                                   ? std::string(kBlockPrefix[static_cast<std::size_t>(scheme_)]) +
                                         number + "." + stored_part(kBlockParts, part, scheme_)
                                   : stored_part(kOtherParts, part, scheme_);
    NamedWeight& weight = list_.emplace_back();
    weight.tensor.name = name;
    weight.tensor.shape = std::move(shape);
    weight.stored_name = stored + stored_leaf;
  }

  const ModelConfig& model_;
  NameScheme scheme_;
  std::int64_t block_ = -1;
  std::vector<NamedWeight> list_;
};

}  // namespace

std::vector<NamedWeight> named_weights(const ModelConfig& model, NameScheme scheme) {
  Lister list(model, scheme);
  const std::int64_t dim = model.dim;
  const std::int64_t q = model.query_width();
  const std::int64_t kv = model.kv_width();
  const std::int64_t ff = model.ff_width();
  const bool fused = scheme == NameScheme::kHfGpt2 || scheme == NameScheme::kHfBigCode ||
                     scheme == NameScheme::kGgufGpt2;
  if (model.images()) {
    list.matrix("patches", dim, model.image.patch_values());
    list.vector("patches", dim);
    if (model.image.pool == ImagePool::kClassToken) {
      list.matrix("class_token", 1, dim);
    }
  } else {
    list.matrix("embedding", model.vocab_size, dim);
  }
  if (model.positions == PositionKind::kLearned) {
    list.matrix("positions", model.position_rows(), dim);
  }
  for (std::int64_t block = 0; block < model.layers; ++block) {
    list.begin_block(block);
    list.norm("attention_norm");
    list.linear("attention.q", q, dim);
    list.linear("attention.k", kv, dim, fused ? q : 0);
    list.linear("attention.v", kv, dim, fused ? q + kv : 0);
    list.linear("attention.o", dim, q);
    list.norm("mlp_norm");
    if (model.gated()) {
      list.linear("mlp.gate", ff, dim);
    }
    list.linear("mlp.up", ff, dim);
    list.linear("mlp.down", dim, ff);
  }
  list.end_blocks();
  list.norm("final_norm");
  if (!model.shares_head()) {
    list.matrix("head", model.vocab_size, dim);
  }
  if (model.images()) {
    list.vector("head", model.vocab_size);
  }
  return list.take();
}

bool may_be_ignored(const std::string& stored_name, const ModelConfig& model) {
  const std::string_view name = stored_name;
  return name.ends_with(".rotary_emb.inv_freq") || name.ends_with(".attn.bias") ||
         name.ends_with(".attn.masked_bias") || (model.tied && name == "lm_head.weight");
}

}  // namespace lathe
