// Small models in files of every format, written from one set of weights, so that whatever is read
// can be compared with what went in.
#pragma once

#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/io/gguf.h"
#include "engine/io/model_names.h"
#include "engine/io/safetensors.h"
#include "engine/quant/block_codec.h"

namespace lathe::test {

using Values = std::map<std::string, std::vector<float>>;

inline ModelConfig small_llama() {
  return {.dim = 32,
          .layers = 2,
          .heads = 4,
          .kv_heads = 2,
          .ff_dim = 64,
          .vocab_size = 40,
          .tied = false,
          .norm_eps = 1e-5,
          .context = 64};
}

inline ModelConfig small_gpt2(std::int64_t kv_heads) {
  return {.dim = 32,
          .layers = 2,
          .heads = 4,
          .kv_heads = kv_heads,
          .ff_dim = 64,
          .vocab_size = 40,
          .norm = NormKind::kLayer,
          .mlp = MlpKind::kGeluTanh,
          .bias = true,
          .positions = PositionKind::kLearned,
          .context = 16};
}
// Every element of every weight is another one.
inline Values distinct_values(const ModelConfig& model) {
  Values values;
  float next = 0;
  for (const NamedWeight& weight : named_weights(model, NameScheme::kHfLlama)) {
    std::vector<float>& list = values[weight.tensor.name];
    list.resize(static_cast<std::size_t>(weight.tensor.elements()));
    for (float& value : list) {
      value = 0.2f * std::sin(0.37f * next++);
    }
  }
  return values;
}

// Matrices of full rank, unlike distinct_values(): those are of rank 2. Gains are around 1.
inline Values random_values(const ModelConfig& model) {
  Values values = distinct_values(model);
  Rng rng(3, 3);
  for (auto& [name, list] : values) {
    for (float& value : list) {
      value = 0.1f * static_cast<float>(static_cast<double>(rng.next_below(2001)) / 1000 - 1) +
              (name.ends_with(".gain") ? 1.0f : 0.0f);
    }
  }
  return values;
}

struct Stored {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

// What a file of the scheme holds: the turns of named_weights(), the other way round.
inline std::map<std::string, Stored> stored_form(const ModelConfig& model, NameScheme scheme,
                                                 const Values& values) {
  std::map<std::string, Stored> out;
  for (const NamedWeight& weight : named_weights(model, scheme)) {
    const ModelTensor& tensor = weight.tensor;
    const std::vector<float>& from = values.at(tensor.name);
    const std::int64_t rows = tensor.shape[0];
    const std::int64_t cols = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
    Stored& stored = out[weight.stored_name];
    if (tensor.turn == Turn::kTransposed) {
      // Columns of a fused weight come one part after another: the old rows get longer.
      const std::int64_t before = stored.shape.empty() ? 0 : stored.shape[1];
      std::vector<float> wider(static_cast<std::size_t>(cols * (before + rows)));
      for (std::int64_t in = 0; in < cols; ++in) {
        for (std::int64_t at = 0; at < before + rows; ++at) {
          wider[static_cast<std::size_t>(in * (before + rows) + at)] =
              at < before ? stored.values[static_cast<std::size_t>(in * before + at)]
                          : from[static_cast<std::size_t>((at - before) * cols + in)];
        }
      }
      stored = {{cols, before + rows}, wider};
      continue;
    }
    std::vector<float> part = from;
    if (tensor.turn == Turn::kPairsToHalves) {
      const std::int64_t width = rows / tensor.heads;
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t within = row % width;
        const std::int64_t to =
            row - within + (within < width / 2 ? 2 * within : 2 * (within - width / 2) + 1);
        std::copy_n(from.begin() + row * cols, cols, part.begin() + to * cols);
      }
    }
    stored.values.insert(stored.values.end(), part.begin(), part.end());
    if (stored.shape.empty()) {
      stored.shape = tensor.shape;
    } else {
      stored.shape[0] += rows;
    }
  }
  return out;
}

inline void write_safetensors(const std::filesystem::path& path,
                              const std::map<std::string, Stored>& tensors) {
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : tensors) {
    writer.declare(name, DType::kF32, tensor.shape);
  }
  CHECK(writer.open(path).ok(), "the test's folder can be written");
  for (const auto& [name, tensor] : tensors) {
    CHECK(writer.write(tensor.values.data(), tensor.values.size() * 4).ok(), "written");
  }
  CHECK(writer.commit().ok(), "written");
}

inline Json llama_json(const ModelConfig& model) {
  return {{"architectures", {"LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"hidden_size", model.dim},
          {"num_hidden_layers", model.layers},
          {"num_attention_heads", model.heads},
          {"num_key_value_heads", model.kv_head_count()},
          {"intermediate_size", model.ff_width()},
          {"vocab_size", model.vocab_size},
          {"max_position_embeddings", model.context},
          {"rms_norm_eps", model.norm_eps},
          {"tie_word_embeddings", model.tied}};
}

inline Json gpt2_json(const ModelConfig& model) {
  const bool big_code = model.kv_heads == 1;
  return {{"architectures", {big_code ? "GPTBigCodeForCausalLM" : "GPT2LMHeadModel"}},
          {"n_embd", model.dim},
          {"n_layer", model.layers},
          {"n_head", model.heads},
          {"n_inner", model.ff_width()},
          {"vocab_size", model.vocab_size},
          {"n_positions", model.context}};
}

// Matrices in the given type, of which their rows are whole blocks.
inline void write_gguf(const std::filesystem::path& path, const ModelConfig& model,
                       const Values& values, StoredType matrices = StoredType::kF32) {
  GgufWriter writer;
  const auto u32 = [&](const std::string& key, std::int64_t value) {
    writer.set_u32("llama." + key, static_cast<std::uint32_t>(value));
  };
  writer.set_text("general.architecture", "llama");
  u32("embedding_length", model.dim);
  u32("block_count", model.layers);
  u32("attention.head_count", model.heads);
  u32("attention.head_count_kv", model.kv_head_count());
  u32("feed_forward_length", model.ff_width());
  u32("context_length", model.context);
  writer.set_f32("llama.attention.layer_norm_rms_epsilon", static_cast<float>(model.norm_eps));
  const auto tensors = stored_form(model, NameScheme::kGgufLlama, values);
  const auto type_of = [&](const Stored& tensor) {
    return tensor.shape.size() == 2 ? matrices : StoredType::kF32;
  };
  for (const auto& [name, tensor] : tensors) {
    writer.declare(name, type_of(tensor), tensor.shape);
  }
  CHECK(writer.open(path).ok(), "the test's folder can be written");
  for (const auto& [name, tensor] : tensors) {
    const auto count = static_cast<std::int64_t>(tensor.values.size());
    std::vector<std::byte> bytes(static_cast<std::size_t>(size_bytes(type_of(tensor), count)));
    encode_row(type_of(tensor), tensor.values.data(), bytes.data(), count);
    CHECK(writer.write(bytes.data(), bytes.size()).ok(), "written");
  }
  CHECK(writer.commit().ok(), "written");
}

}  // namespace lathe::test
