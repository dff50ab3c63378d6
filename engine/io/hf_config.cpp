// config.json of the architectures that can be computed here.
#include "engine/io/config_reader.h"
#include "engine/io/factored_slots.h"
#include "engine/io/hf_folder.h"

namespace lathe {
namespace {

// Fills `fields` from keys of a config; the first thing that is not understood is kept.
class ConfigKeys {
 public:
  explicit ConfigKeys(const Json& config) : config_(config) {}

  void copy(const char* key, const char* field) {
    const auto found = config_.find(key);
    if (found != config_.end() && !found->is_null()) {
      fields[field] = *found;
    }
  }
  void demand(const char* key, const char* field) {
    if (!config_.contains(key)) {
      refuse(std::string(key) + " is missing");
    }
    copy(key, field);
  }
  // Only this value (or the key's absence) is computed.
  void only(const char* key, const Json& legal) {
    const auto found = config_.find(key);
    if (found != config_.end() && !found->is_null() && *found != legal) {
      refuse(std::string(key) + "=" + found->dump() + " is not computed, only " + legal.dump());
    }
  }
  std::string text(const char* key, const std::string& otherwise) const {
    const auto found = config_.find(key);
    return found != config_.end() && found->is_string() ? found->get<std::string>() : otherwise;
  }
  bool flag(const char* key, bool otherwise) const {
    const auto found = config_.find(key);
    return found != config_.end() && found->is_boolean() ? found->get<bool>() : otherwise;
  }
  const Json* object(const char* key) const {
    const auto found = config_.find(key);
    return found != config_.end() && found->is_object() ? &*found : nullptr;
  }
  void refuse(const std::string& what) {
    if (wrong.empty()) {
      wrong = what;
    }
  }

  Json fields = Json::object();
  std::string wrong;

 private:
  const Json& config_;
};

// rope_scaling as versions before 5 write it, rope_parameters as those since.
void read_rope(ConfigKeys& keys) {
  keys.copy("rope_theta", "rope_theta");
  const Json* scaling = keys.object("rope_parameters");
  scaling = scaling != nullptr ? scaling : keys.object("rope_scaling");
  if (scaling == nullptr) {
    return;
  }
  ConfigKeys inner(*scaling);
  const std::string kind = inner.text("rope_type", inner.text("type", "default"));
  inner.copy("rope_theta", "rope_theta");
  if (kind == "linear" || kind == "llama3") {
    inner.fields["rope_scaling"] = kind;
    inner.demand("factor", "rope_factor");
  } else if (kind != "default") {
    keys.refuse("rope type " + kind + " is not computed, only default, linear and llama3");
  }
  if (kind == "llama3") {
    inner.demand("low_freq_factor", "rope_low");
    inner.demand("high_freq_factor", "rope_high");
    inner.demand("original_max_position_embeddings", "rope_original_context");
  }
  keys.fields.update(inner.fields);
  if (!inner.wrong.empty()) {
    keys.refuse("rope: " + inner.wrong);
  }
}

void read_llama(ConfigKeys& keys, bool mistral) {
  keys.demand("hidden_size", "dim");
  keys.demand("num_hidden_layers", "layers");
  keys.demand("num_attention_heads", "heads");
  keys.copy("num_key_value_heads", "kv_heads");
  keys.demand("intermediate_size", "ff_dim");
  keys.demand("vocab_size", "vocab_size");
  keys.copy("max_position_embeddings", "context");
  keys.copy("head_dim", "head_width");
  keys.fields["norm_eps"] = 1e-6;
  keys.copy("rms_norm_eps", "norm_eps");
  keys.fields["tied"] = keys.flag("tie_word_embeddings", false);
  keys.only("hidden_act", "silu");
  if (keys.flag("attention_bias", false) && keys.flag("mlp_bias", false)) {
    keys.fields["bias"] = true;
  } else {  // either alone
    keys.only("attention_bias", false);
    keys.only("mlp_bias", false);
  }
  if (mistral) {
    keys.copy("sliding_window", "window");
  }
  read_rope(keys);
  // A width that is the usual one is no choice of its own.
  const Json& fields = keys.fields;
  if (fields.contains("head_width") && fields["head_width"].is_number_integer() &&
      fields.contains("dim") && fields["dim"].is_number_integer() && fields.contains("heads") &&
      fields["heads"].is_number_integer() && fields["heads"].get<std::int64_t>() > 0 &&
      fields["head_width"].get<std::int64_t>() ==
          fields["dim"].get<std::int64_t>() / fields["heads"].get<std::int64_t>()) {
    keys.fields.erase("head_width");
  }
}

void read_gpt2(ConfigKeys& keys, bool big_code) {
  keys.demand("n_embd", "dim");
  keys.demand("n_layer", "layers");
  keys.demand("n_head", "heads");
  keys.demand("vocab_size", "vocab_size");
  keys.demand("n_positions", "context");
  keys.copy("n_inner", "ff_dim");
  keys.copy("layer_norm_epsilon", "norm_eps");
  keys.fields["tied"] = keys.flag("tie_word_embeddings", true);
  keys.fields["norm"] = "layer";
  keys.fields["positions"] = "learned";
  keys.fields["bias"] = true;
  const std::string act =
      keys.text("activation_function", big_code ? "gelu_pytorch_tanh" : "gelu_new");
  if (act != "gelu" && act != "gelu_new" && act != "gelu_pytorch_tanh") {
    keys.refuse("activation_function " + act +
                " is not computed, only gelu, gelu_new and gelu_pytorch_tanh");
  }
  keys.fields["mlp"] = act == "gelu" ? "gelu" : "gelu_tanh";
  keys.only("scale_attn_weights", true);
  if (big_code) {
    keys.only("multi_query", true);
    keys.fields["kv_heads"] = 1;
  } else {
    keys.only("scale_attn_by_inverse_layer_idx", false);
  }
}

// Labels by number, or their number; transformers leaves out both where there are two.
Json class_count(const ConfigKeys& keys, const Json& config) {
  const Json* labels = keys.object("id2label");
  if (labels != nullptr) {
    return labels->size();
  }
  return config.contains("num_labels") ? config["num_labels"] : Json(2);
}

void read_vit(ConfigKeys& keys, const Json& config) {
  keys.demand("hidden_size", "dim");
  keys.demand("num_hidden_layers", "layers");
  keys.demand("num_attention_heads", "heads");
  keys.demand("intermediate_size", "ff_dim");
  keys.fields["norm_eps"] = 1e-12;
  keys.copy("layer_norm_eps", "norm_eps");
  keys.fields["norm"] = "layer";
  keys.fields["positions"] = "learned";
  keys.fields["bias"] = true;
  keys.fields["mlp"] = "gelu";
  keys.only("hidden_act", "gelu");
  keys.only("qkv_bias", true);
  ConfigKeys image(config);
  image.demand("image_size", "size");
  image.demand("patch_size", "patch_size");
  image.fields["channels"] = 3;
  image.copy("num_channels", "channels");
  image.fields["classes"] = class_count(keys, config);
  keys.fields["vocab_size"] = image.fields["classes"];
  keys.fields["image"] = image.fields;
  if (!image.wrong.empty()) {
    keys.refuse(image.wrong);
  }
}

}  // namespace

Result<ModelConfig> model_config_of(const Json& config, const std::string& origin) {
  ConfigKeys keys(config);
  const auto names = config.find("architectures");
  const bool named = names != config.end() && names->is_array() && names->size() == 1 &&
                     names->front().is_string();
  std::string architecture = named ? names->front().get<std::string>() : "";
  if (architecture.starts_with(kFactoredPrefix)) {
    architecture.erase(0, kFactoredPrefix.size());
  }
  if (architecture == "LlamaForCausalLM" || architecture == "MistralForCausalLM") {
    read_llama(keys, architecture == "MistralForCausalLM");
  } else if (architecture == "GPT2LMHeadModel" || architecture == "GPTBigCodeForCausalLM") {
    read_gpt2(keys, architecture == "GPTBigCodeForCausalLM");
  } else if (architecture == "ViTForImageClassification") {
    read_vit(keys, config);
  } else {
    keys.refuse("architectures " + (names == config.end() ? "(absent)" : names->dump()) +
                " is not one that can be computed: LlamaForCausalLM, MistralForCausalLM, "
                "GPT2LMHeadModel, GPTBigCodeForCausalLM, ViTForImageClassification");
  }
  if (!keys.wrong.empty()) {
    return Error{ErrorKind::kData, origin + ": " + keys.wrong,
                 "use a model of a known architecture"};
  }
  return checked_model_config(keys.fields, origin);
}

}  // namespace lathe
