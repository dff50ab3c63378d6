// Writing Hugging Face folders and GGUF files.
#include "engine/lm/export_files.h"

#include <array>
#include <map>
#include <variant>

#include "engine/base/json.h"
#include "engine/io/gguf.h"
#include "engine/io/safetensors.h"
#include "engine/lm/language_model.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

// llama.cpp's LLAMA_FTYPE of a file whose matrices are of one type.
std::uint32_t file_type(StoredType type) {
  static const std::map<StoredType, std::uint32_t> kFileTypes{
      {StoredType::kF32, 0},  {StoredType::kF16, 1},  {StoredType::kQ4_0, 2},
      {StoredType::kQ4_1, 3}, {StoredType::kQ8_0, 7}, {StoredType::kQ6_K, 18},
      {StoredType::kBf16, 32}};
  const auto found = kFileTypes.find(type);
  return found == kFileTypes.end() ? 0 : found->second;
}

void set_shape_keys(const ModelConfig& model, GgufWriter& writer) {
  const auto set = [&](const std::string& key, std::int64_t value) {
    writer.set_u32("llama." + key, static_cast<std::uint32_t>(value));
  };
  set("context_length", model.context);
  set("embedding_length", model.dim);
  set("block_count", model.layers);
  set("feed_forward_length", model.ff_width());
  set("attention.head_count", model.heads);
  set("attention.head_count_kv", model.kv_head_count());
  set("rope.dimension_count", model.head_dim());
  set("vocab_size", model.vocab_size);
  if (model.head_width != 0) {
    set("attention.key_length", model.head_width);
    set("attention.value_length", model.head_width);
  }
  writer.set_f32("llama.attention.layer_norm_rms_epsilon", static_cast<float>(model.norm_eps));
  writer.set_f32("llama.rope.freq_base", static_cast<float>(model.rope_theta));
  if (model.rope_scaling == RopeScalingKind::kLinear) {
    writer.set_text("llama.rope.scaling.type", "linear");
    writer.set_f32("llama.rope.scaling.factor", static_cast<float>(model.rope_factor));
  }
}

// Numbers of tokenizer arrays fit 32 bits in the formats' own definition.
std::vector<std::int32_t> narrow(const GgufIntegers& values) {
  return {values.begin(), values.end()};
}

void set_value(const std::string& key, const GgufValue& value, GgufWriter& writer) {
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    writer.set_u32(key, static_cast<std::uint32_t>(*whole));
  } else if (const auto* real = std::get_if<double>(&value)) {
    writer.set_f32(key, static_cast<float>(*real));
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    writer.set_bool(key, *flag);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    writer.set_text(key, *text);
  } else if (const auto* texts = std::get_if<GgufTexts>(&value)) {
    writer.set_texts(key, *texts);
  } else if (const auto* reals = std::get_if<GgufReals>(&value)) {
    writer.set_f32s(key, {reals->begin(), reals->end()});
  } else if (const auto* integers = std::get_if<GgufIntegers>(&value)) {
    writer.set_i32s(key, narrow(*integers));
  }
}

// The tokenizer travels from one GGUF file to another; other kinds have no such keys.
std::string set_tokenizer(const ModelFile& source, GgufWriter& writer) {
  bool any = false;
  if (source.gguf() != nullptr) {
    for (const auto& [key, value] : source.gguf()->keys()) {
      if (key.starts_with("tokenizer.")) {
        set_value(key, value, writer);
        any = true;
      }
    }
  }
  if (any) {
    return "carried over";
  }
  writer.set_text("tokenizer.ggml.model", "no_vocab");
  return "none: the file takes and gives ids only";
}

template <typename Writer>
Result<void> write_weights(const ModelFile& source, const std::vector<ExportWeight>& weights,
                           Writer& writer, ExportReport& report) {
  for (const ExportWeight& weight : weights) {
    const std::vector<std::byte> bytes = encoded_rows(weight, dense_values(source, weight));
    report.bytes += static_cast<std::int64_t>(bytes.size());
    const Result<void> written = writer.write(bytes.data(), bytes.size());
    if (!written) {
      return written;
    }
  }
  return writer.commit();
}

Result<void> write_gguf(const ModelFile& source, const std::vector<ExportWeight>& weights,
                        const ExportRequest& request, const fs::path& path, ExportReport& report) {
  GgufWriter writer;
  writer.set_text("general.architecture", "llama");
  writer.set_text("general.name", request.name);
  writer.set_u32("general.file_type", file_type(request.type));
  writer.set_u32("general.quantization_version", 2);
  set_shape_keys(source.config(), writer);
  report.tokenizer = set_tokenizer(source, writer);
  for (const ExportWeight& weight : weights) {
    writer.declare(weight.named.stored_name, weight.type, weight.named.tensor.shape);
  }
  const Result<void> opened = writer.open(path);
  return opened ? write_weights(source, weights, writer, report) : opened;
}

Json hf_config(const ModelConfig& model, StoredType type) {
  const std::string torch_type = type == StoredType::kF32   ? "float32"
                                 : type == StoredType::kF16 ? "float16"
                                                            : "bfloat16";
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
              {"attention_bias", false},
              {"mlp_bias", false},
              {"initializer_range", model.init_std},
              {"torch_dtype", torch_type}};
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

Result<std::string> copy_tokenizer(const ModelFile& source, const fs::path& folder) {
  constexpr std::array<const char*, 7> kFiles{
      "tokenizer.json", "tokenizer_config.json",   "tokenizer.model",       "vocab.json",
      "merges.txt",     "special_tokens_map.json", "generation_config.json"};
  bool any = false;
  std::error_code failed;
  for (const char* name : kFiles) {
    if (source.format() == ModelFormat::kHuggingFace && fs::exists(source.path() / name, failed)) {
      fs::copy_file(source.path() / name, folder / name, failed);
      if (failed) {
        return Error{ErrorKind::kDisk, "cannot copy " + std::string(name) + ": " + failed.message(),
                     "check the free space"};
      }
      any = true;
    }
  }
  return std::string(any ? "carried over" : "none: the folder takes and gives ids only");
}

Result<void> write_folder(const ModelFile& source, const std::vector<ExportWeight>& weights,
                          const ExportRequest& request, const fs::path& folder,
                          ExportReport& report) {
  SafetensorsWriter writer;
  writer.set_metadata("format", "pt");
  for (const ExportWeight& weight : weights) {
    writer.declare(weight.named.stored_name, weight.type, weight.named.tensor.shape);
  }
  Result<void> done = writer.open(folder / "model.safetensors");
  if (done) {
    done = write_weights(source, weights, writer, report);
  }
  if (done) {
    done = write_file_atomically(folder / "config.json",
                                 hf_config(source.config(), request.type).dump(2) + "\n");
  }
  if (!done) {
    return done;
  }
  const auto tokenizer = copy_tokenizer(source, folder);
  if (!tokenizer) {
    return tokenizer.error();
  }
  report.tokenizer = *tokenizer;
  return {};
}

}  // namespace

Result<void> write_model(const ModelFile& source, const std::vector<ExportWeight>& weights,
                         const ExportRequest& request, const fs::path& path, ExportReport& report) {
  return request.format == ModelFormat::kGguf
             ? write_gguf(source, weights, request, path, report)
             : write_folder(source, weights, request, path, report);
}

std::string model_card(const ModelFile& source, const ExportRequest& request,
                       const ExportReport& report) {
  const ModelConfig& model = source.config();
  std::string card = "# " + request.name + "\n\n";
  card += architecture_text("llama", model) + ", vocabulary " + std::to_string(model.vocab_size) +
          ", context " + std::to_string(model.context) + ".\n\n";
  card += "Weights: " + std::string(info_of(request.type).name) + ", " +
          std::to_string(report.bytes) + " bytes. Written by Lathe from a " +
          std::string(model_format_name(source.format())) + " model (hash " + model_hash(source) +
          ") and read back: on 64 positions its logits differ from those of the same rounded "
          "weights by " +
          std::to_string(report.max_difference) + " at most, from those of the model itself by " +
          std::to_string(report.max_change) + " (KL " + std::to_string(report.mean_kl) +
          " nats a position).\n\n";
  if (!report.merged_slots.empty()) {
    card += std::to_string(report.merged_slots.size()) +
            " factored matrices were multiplied out: this form is as large as a dense model.\n\n";
  }
  card += "Tokenizer: " + report.tokenizer + ".\n";
  return card;
}

}  // namespace lathe
