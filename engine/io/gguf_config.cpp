// GGUF keys to a ModelConfig (ggml's docs/gguf.md, section "LLM").
#include "engine/io/gguf_config.h"

#include "engine/io/config_reader.h"

namespace lathe {
namespace {

struct KeyOfField {
  const char* key;  // after "<architecture>."
  const char* field;
  bool required;
};

Error unusable(const std::string& origin, const std::string& what) {
  return {ErrorKind::kData, origin + ": " + what, "use a model of a known architecture"};
}

// Empty, or the required key that is missing or of another type.
std::string copy_keys(const GgufFile& file, const std::string& prefix,
                      std::span<const KeyOfField> keys, Json& fields) {
  for (const KeyOfField& entry : keys) {
    const std::string key = prefix + entry.key;
    if (const auto* whole = file.get<std::int64_t>(key)) {
      fields[entry.field] = *whole;
    } else if (const auto* real = file.get<double>(key)) {
      fields[entry.field] = *real;
    } else if (entry.required || file.keys().contains(key)) {
      return key;
    }
  }
  return "";
}

std::string read_rope(const GgufFile& file, const std::string& prefix, Json& fields) {
  const auto* kind = file.get<std::string>(prefix + "rope.scaling.type");
  if (file.find("rope_freqs.weight") != nullptr) {
    return "it stretches rotary waves by a table of its own (rope_freqs.weight)";
  }
  if (kind == nullptr || *kind == "none") {
    return "";
  }
  const auto* factor = file.get<double>(prefix + "rope.scaling.factor");
  if (*kind != "linear" || factor == nullptr) {
    return "rope.scaling.type " + *kind + " is not computed, only none and linear with a factor";
  }
  fields["rope_scaling"] = "linear";
  fields["rope_factor"] = *factor;
  return "";
}

}  // namespace

Result<ModelConfig> model_config_of(const GgufFile& file, const std::string& origin) {
  const auto* named = file.get<std::string>("general.architecture");
  const std::string architecture = named == nullptr ? "" : *named;
  const bool llama = architecture == "llama";
  if (!llama && architecture != "gpt2" && architecture != "starcoder") {
    return unusable(origin, "architecture \"" + architecture +
                                "\" cannot be computed; llama, gpt2 and starcoder can");
  }
  const std::string prefix = architecture + ".";
  Json fields = Json::object();
  const std::vector<KeyOfField> shared{
      {"embedding_length", "dim", true},       {"block_count", "layers", true},
      {"attention.head_count", "heads", true}, {"attention.head_count_kv", "kv_heads", false},
      {"feed_forward_length", "ff_dim", true}, {"context_length", "context", true}};
  const std::vector<KeyOfField> rotary{{"attention.layer_norm_rms_epsilon", "norm_eps", true},
                                       {"rope.freq_base", "rope_theta", false}};
  const std::vector<KeyOfField> learned{{"attention.layer_norm_epsilon", "norm_eps", true}};
  std::string missing = copy_keys(file, prefix, shared, fields);
  if (missing.empty()) {
    missing = copy_keys(file, prefix, llama ? rotary : learned, fields);
  }
  if (!missing.empty()) {
    return unusable(origin, "key " + missing + " is missing or not a number");
  }
  const GgufTensor* table = file.find("token_embd.weight");
  if (table == nullptr || table->shape.size() != 2) {
    return unusable(origin, "there is no table token_embd.weight");
  }
  fields["vocab_size"] = table->shape[0];
  fields["tied"] = file.find("output.weight") == nullptr;
  if (!llama) {
    fields["norm"] = "layer";
    fields["positions"] = "learned";
    fields["mlp"] = "gelu_tanh";
    fields["bias"] = true;
    return checked_model_config(fields, origin);
  }
  fields["bias"] = file.find("blk.0.attn_q.bias") != nullptr;
  const std::string wrong = read_rope(file, prefix, fields);
  if (!wrong.empty()) {
    return unusable(origin, wrong);
  }
  const auto* width = file.get<std::int64_t>(prefix + "attention.key_length");
  const auto* turned = file.get<std::int64_t>(prefix + "rope.dimension_count");
  auto config = checked_model_config(fields, origin);
  if (config && width != nullptr && *width != config->head_dim()) {
    fields["head_width"] = *width;
    config = checked_model_config(fields, origin);
  }
  if (config && turned != nullptr && *turned != config->head_dim()) {
    return unusable(origin, "it turns " + std::to_string(*turned) + " of " +
                                std::to_string(config->head_dim()) + " channels of a head");
  }
  return config;
}

}  // namespace lathe
