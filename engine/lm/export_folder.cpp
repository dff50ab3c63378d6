// Exports as folders of transformers: safetensors, config.json, tokenizer files.
#include <optional>
#include <span>

#include "engine/base/atomic_file.h"
#include "engine/io/bitsandbytes.h"
#include "engine/io/factored_slots.h"
#include "engine/io/safetensors.h"
#include "engine/lm/export_files.h"

namespace lathe {
namespace {

Json llama_config(const ModelConfig& model) {
  const bool mistral = model.window != 0;
  Json config{{"architectures", {mistral ? "MistralForCausalLM" : "LlamaForCausalLM"}},
              {"model_type", mistral ? "mistral" : "llama"},
              {"vocab_size", model.vocab_size},
              {"hidden_size", model.dim},
              {"intermediate_size", model.ff_width()},
              {"num_hidden_layers", model.layers},
              {"num_attention_heads", model.heads},
              {"num_key_value_heads", model.kv_head_count()},
              {"head_dim", model.head_dim()},
              {"hidden_act", "silu"},
              {"max_position_embeddings", model.context},
              {"rms_norm_eps", model.norm_eps},
              {"rope_theta", model.rope_theta},
              {"tie_word_embeddings", model.tied},
              {"attention_bias", model.bias},
              {"mlp_bias", model.bias}};
  if (mistral) {
    config["sliding_window"] = model.window;
  }
  if (model.rope_scaling != RopeScalingKind::kNone) {
    Json scaling{{"rope_type", std::string(enum_name(model.rope_scaling))},
                 {"factor", model.rope_factor}};
    if (model.rope_scaling == RopeScalingKind::kLlama3) {
      scaling["low_freq_factor"] = model.rope_low;
      scaling["high_freq_factor"] = model.rope_high;
      scaling["original_max_position_embeddings"] = model.rope_original_context;
    }
    config["rope_scaling"] = scaling;
  }
  return config;
}

Json gpt2_config(const ModelConfig& model, bool big_code) {
  const bool exact = model.mlp == MlpKind::kGelu;
  Json config{{"architectures", {big_code ? "GPTBigCodeForCausalLM" : "GPT2LMHeadModel"}},
              {"model_type", big_code ? "gpt_bigcode" : "gpt2"},
              {"vocab_size", model.vocab_size},
              {"n_embd", model.dim},
              {"n_inner", model.ff_width()},
              {"n_layer", model.layers},
              {"n_head", model.heads},
              {"n_positions", model.context},
              {"activation_function", exact      ? "gelu"
                                      : big_code ? "gelu_pytorch_tanh"
                                                 : "gelu_new"},
              {"layer_norm_epsilon", model.norm_eps},
              {"tie_word_embeddings", model.tied}};
  if (big_code) {
    config["multi_query"] = true;
  }
  return config;
}

Json vit_config(const ModelConfig& model) {
  Json labels = Json::object();
  Json numbers = Json::object();
  for (std::int64_t i = 0; i < model.image.classes; ++i) {
    const std::string label = "LABEL_" + std::to_string(i);
    labels[std::to_string(i)] = label;
    numbers[label] = i;
  }
  return {{"architectures", {"ViTForImageClassification"}},
          {"model_type", "vit"},
          {"hidden_size", model.dim},
          {"intermediate_size", model.ff_width()},
          {"num_hidden_layers", model.layers},
          {"num_attention_heads", model.heads},
          {"image_size", model.image.size},
          {"patch_size", model.image.patch_size},
          {"num_channels", model.image.channels},
          {"id2label", labels},
          {"label2id", numbers},
          {"hidden_act", "gelu"},
          {"hidden_dropout_prob", 0.0},
          {"attention_probs_dropout_prob", 0.0},
          {"layer_norm_eps", model.norm_eps},
          {"qkv_bias", true}};
}

Json model_json(const ExportPlan& plan) {
  const ModelConfig& model = plan.model.config;
  if (plan.scheme == NameScheme::kHfVit) {
    return vit_config(model);
  }
  return plan.scheme == NameScheme::kHfLlama
             ? llama_config(model)
             : gpt2_config(model, plan.scheme == NameScheme::kHfBigCode);
}

// As the file has it: a ViT's patches are a convolution's, its class token and positions batches of
// one.
std::vector<std::int64_t> file_shape(const ExportPlan& plan, const ExportTensor& tensor) {
  const std::string& name = tensor.parts.front().name;
  const ImageConfig& image = plan.model.config.image;
  if (plan.scheme == NameScheme::kHfVit && name == "patches.weight") {
    return {tensor.shape[0], image.channels, image.patch_size, image.patch_size};
  }
  if (plan.scheme == NameScheme::kHfVit &&
      (name == "class_token.weight" || name == "positions.weight")) {
    return {1, tensor.shape[0], tensor.shape[1]};
  }
  return tensor.shape;
}

void set_marks(const ExportText& text, Json& config) {
  if (text.source == nullptr && !text.vocabulary) {
    return;
  }
  const ModelText known = text.source == nullptr ? ModelText{} : read_model_text(*text.source);
  const SpecialTokens none;
  const SpecialTokens& marks = known.tokenizer != nullptr ? known.tokenizer->special()
                               : text.vocabulary          ? text.vocabulary->special
                                                          : none;
  for (const auto& [key, id] :
       {std::pair{"bos_token_id", marks.bos}, std::pair{"eos_token_id", marks.eos},
        std::pair{"pad_token_id", marks.pad}}) {
    config[key] = id >= 0 ? Json(id) : Json();
  }
}

void set_factors(const ExportPlan& plan, Json& config) {
  const std::string base = config["architectures"].front().get<std::string>();
  const std::string name = std::string(kFactoredPrefix) + base;
  config["architectures"] = {name};
  config["model_type"] = "lathe_factored_" + config["model_type"].get<std::string>();
  config["auto_map"] = {{"AutoConfig", "modeling_lathe.LatheFactoredConfig"},
                        {"AutoModelForCausalLM", "modeling_lathe." + name}};
  config["factored_slots"] = factored_slots_json(plan.model.config, plan.scheme, plan.model.slots);
}

std::string computes_in(const ExportPlan& plan) {
  return plan.request.type == StoredType::kF32   ? "float32"
         : plan.request.type == StoredType::kF16 ? "float16"
                                                 : "bfloat16";
}

// Linear layers of the blocks, and the head, that are not stored in few bits.
std::vector<std::string> skipped(const ExportPlan& plan) {
  std::vector<std::string> modules{"lm_head"};
  for (const ExportTensor& tensor : plan.tensors) {
    const bool slot = tensor.parts.front().name.starts_with("layers.") && tensor.shape.size() == 2;
    if (slot && !is_ours(tensor.type)) {
      modules.push_back(tensor.stored_name.substr(0, tensor.stored_name.rfind('.')));
    }
  }
  return modules;
}

// Declares tensors and takes their bytes as SafetensorsWriter does, of matrices in bitsandbytes'
// form in parts.
class FolderWriter {
 public:
  explicit FolderWriter(const ExportPlan& plan) : plan_(plan), form_(bitsandbytes_form(plan)) {
    writer_.set_metadata("format", "pt");
  }

  Result<void> open(const std::filesystem::path& path) {
    for (const ExportTensor& tensor : plan_.tensors) {
      if (in_parts(tensor)) {
        for (const BitsandbytesPart& part : parts_of(tensor, {})) {
          writer_.declare(part.name, part.dtype, part.shape);
        }
      } else if (has_tables(tensor.type)) {
        const ModelTensor* const kept = kept_as_stored(plan_.source, tensor);
        writer_.declare(tensor.stored_name, DType::kU8, {kept->stored_bytes()});
      } else {
        writer_.declare(tensor.stored_name, tensor.type, file_shape(plan_, tensor));
      }
    }
    return writer_.open(path);
  }

  Result<void> write(const std::byte* data, std::size_t bytes) {
    const ExportTensor& tensor = plan_.tensors[next_++];
    if (!in_parts(tensor)) {
      return writer_.write(data, bytes);
    }
    for (const BitsandbytesPart& part : parts_of(tensor, {data, bytes})) {
      if (Result<void> written = writer_.write(part.bytes.data(), part.bytes.size()); !written) {
        return written;
      }
    }
    return {};
  }

  Result<void> commit() { return writer_.commit(); }

 private:
  bool in_parts(const ExportTensor& tensor) const { return form_ && is_ours(tensor.type); }
  std::vector<BitsandbytesPart> parts_of(const ExportTensor& tensor,
                                         std::span<const std::byte> matrix) const {
    return bitsandbytes_parts(tensor.stored_name, tensor.type, tensor.shape[0], tensor.shape[1],
                              computes_in(plan_), matrix);
  }

  const ExportPlan& plan_;
  std::optional<StoredType> form_;
  SafetensorsWriter writer_;
  std::size_t next_ = 0;
};

// How transformers makes the model's input of an image, where the source tells it.
Json processor_config(const ExportPlan& plan) {
  const ImageConfig& image = plan.model.config.image;
  return {{"image_processor_type", "ViTImageProcessor"},
          {"size", {{"height", image.size}, {"width", image.size}}},
          {"do_resize", true},
          {"do_rescale", true},
          {"rescale_factor", 1.0 / 255.0},
          {"do_normalize", true},
          {"image_mean", plan.request.record["pixel_mean"]},
          {"image_std", plan.request.record["pixel_std"]}};
}

}  // namespace

std::optional<StoredType> bitsandbytes_form(const ExportPlan& plan) {
  std::optional<StoredType> form;
  for (const ExportTensor& tensor : plan.tensors) {
    if (!is_ours(tensor.type)) {
      continue;
    }
    if (!is_of_bitsandbytes(tensor.type) || (form && *form != tensor.type)) {
      return std::nullopt;
    }
    form = tensor.type;
  }
  return any_factored(plan.model.slots) ? std::nullopt : form;
}

Json hf_config(const ExportPlan& plan) {
  Json config = model_json(plan);
  config["initializer_range"] = plan.model.config.init_std;
  config["torch_dtype"] = computes_in(plan);
  set_marks(plan.text, config);
  if (any_factored(plan.model.slots)) {
    set_factors(plan, config);
  }
  if (const auto form = bitsandbytes_form(plan)) {
    config["quantization_config"] = bitsandbytes_config(*form, computes_in(plan), skipped(plan));
    return config;
  }
  for (const ExportTensor& tensor : plan.tensors) {
    if (is_ours(tensor.type)) {
      const std::string name(info_of(tensor.type).name);
      config["stored_types"][tensor.stored_name] =
          has_tables(tensor.type) ? Json{{"type", name}, {"shape", tensor.shape}} : Json(name);
      config["quantization_config"] = {{"quant_method", "lathe"}};  // no method of others
    }
  }
  return config;
}

Result<void> write_hf_folder(const ExportPlan& plan, const std::filesystem::path& folder,
                             ExportReport& report) {
  FolderWriter writer(plan);
  Result<void> done = writer.open(folder / "model.safetensors");
  if (done) {
    done = write_tensors(plan, writer, report);
  }
  if (done) {
    done = write_file_atomically(folder / "config.json", json_text(hf_config(plan), 2) + "\n");
  }
  if (done && any_factored(plan.model.slots)) {
    done = write_file_atomically(folder / "modeling_lathe.py",
                                 modeling_source(plan.scheme, plan.model.config));
  }
  if (done && plan.model.config.images()) {
    return plan.request.record.contains("pixel_mean")
               ? write_file_atomically(folder / "preprocessor_config.json",
                                       json_text(processor_config(plan), 2) + "\n")
               : done;
  }
  return done ? write_tokenizer(plan.text, plan.model.config.context, folder) : done;
}

}  // namespace lathe
