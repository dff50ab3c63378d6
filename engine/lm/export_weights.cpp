// Types, factors and row orders of exported weights.
#include "engine/lm/export_weights.h"

#include <algorithm>
#include <map>

#include "engine/io/factored_slots.h"
#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

// ggml's own order of retreat where rows are not whole blocks: k-quants to 32, those to f16.
StoredType fitting_type(StoredType wanted, std::int64_t cols) {
  if (cols % info_of(wanted).block_elements == 0) {
    return wanted;
  }
  return cols % info_of(StoredType::kQ8_0).block_elements == 0 ? StoredType::kQ8_0
                                                               : StoredType::kF16;
}

std::string factored_slot(const ModelFile& source, const std::string& name) {
  constexpr std::string_view kLeaf = ".weight";
  if (!name.ends_with(kLeaf)) {
    return "";
  }
  std::string slot = name.substr(0, name.size() - kLeaf.size());
  return source.find(slot + ".a") != nullptr && source.find(slot + ".b") != nullptr ? slot : "";
}

std::vector<float> values_of(const ModelTensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
  read_tensor(tensor, values.data());
  return values;
}

// B A, summed in double; in the order that walks A's rows.
std::vector<float> product(const ModelTensor& b, const ModelTensor& a) {
  const std::vector<float> left = values_of(b);
  const std::vector<float> right = values_of(a);
  const auto out = static_cast<std::size_t>(b.shape[0]);
  const auto rank = static_cast<std::size_t>(a.shape[0]);
  const auto in = static_cast<std::size_t>(a.shape[1]);
  std::vector<float> all(out * in);
  std::vector<double> row(in);
  for (std::size_t i = 0; i < out; ++i) {
    std::fill(row.begin(), row.end(), 0.0);
    for (std::size_t k = 0; k < rank; ++k) {
      const double factor = left[i * rank + k];
      for (std::size_t j = 0; j < in; ++j) {
        row[j] += factor * right[k * in + j];
      }
    }
    std::transform(row.begin(), row.end(), all.begin() + static_cast<std::ptrdiff_t>(i * in),
                   [](double value) { return static_cast<float>(value); });
  }
  return all;
}

// Rows of each head from halves (i, i + half) to pairs (2i, 2i + 1), or back.
std::vector<float> reordered(const ModelTensor& tensor, const std::vector<float>& values,
                             std::int64_t heads, bool to_pairs) {
  const std::int64_t cols = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
  const std::int64_t width = tensor.shape[0] / heads;
  const std::int64_t half = width / 2;
  std::vector<float> out(values.size());
  for (std::int64_t row = 0; row < tensor.shape[0]; ++row) {
    const std::int64_t within = row % width;
    const std::int64_t paired =
        row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
    std::copy_n(values.begin() + (to_pairs ? row : paired) * cols, cols,
                out.begin() + (to_pairs ? paired : row) * cols);
  }
  return out;
}

// A part in the order of rows that the format has.
std::vector<float> turned_values(const ModelFile& source, const ModelTensor& part) {
  std::vector<float> values = dense_values(source, part);
  const ModelConfig& model = source.config();
  const bool rows_are_heads = !part.name.ends_with(".a");
  const bool query = rows_are_heads && part.name.find("attention.q.") != std::string::npos;
  const bool key = rows_are_heads && part.name.find("attention.k.") != std::string::npos;
  const bool wants_pairs = part.turn == Turn::kPairsToHalves;
  const bool has_pairs = model.rope_pairs == RopePairs::kInterleaved;
  if (model.positions != PositionKind::kRope || !(query || key) || wants_pairs == has_pairs) {
    return values;
  }
  return reordered(part, values, query ? model.heads : model.kv_head_count(), wants_pairs);
}

// Parts below each other; where they are stored transposed, beside each other.
std::vector<float> joined_values(const ModelFile& source, const ExportTensor& tensor) {
  std::vector<float> all;
  for (const ModelTensor& part : tensor.parts) {
    const std::vector<float> values = turned_values(source, part);
    if (part.turn != Turn::kTransposed) {
      all.insert(all.end(), values.begin(), values.end());
      continue;
    }
    const std::int64_t width = tensor.shape[1];
    all.resize(static_cast<std::size_t>(tensor.shape[0] * width));
    for (std::int64_t row = 0; row < part.shape[0]; ++row) {
      for (std::int64_t col = 0; col < part.shape[1]; ++col) {
        all[static_cast<std::size_t>(col * width + part.first + row)] =
            values[static_cast<std::size_t>(row * part.shape[1] + col)];
      }
    }
  }
  return all;
}

Error cannot_hold(const std::string& what) {
  return {ErrorKind::kUsage, what, "choose another format or export the checkpoint (native)"};
}

bool is_gguf(NameScheme scheme) {
  return scheme == NameScheme::kGgufLlama || scheme == NameScheme::kGgufGpt2;
}

// The parts that a ViTForImageClassification has, each with what the model has in its place.
Result<NameScheme> vit_scheme(const ModelConfig& model, bool gguf) {
  if (gguf) {
    return Error{ErrorKind::kUsage,
                 "the model classifies images (model.image.size=" +
                     std::to_string(model.image.size) + "), and gguf files are of models of text",
                 "use --format hf"};
  }
  const std::vector<std::pair<bool, std::string>> wanted{
      {model.image.pool == ImagePool::kClassToken,
       "model.image.pool=" + std::string(enum_name(model.image.pool)) + ", not class_token"},
      {model.norm == NormKind::kLayer,
       "model.norm=" + std::string(enum_name(model.norm)) + ", not layer"},
      {model.mlp == MlpKind::kGelu,
       "model.mlp=" + std::string(enum_name(model.mlp)) + ", not gelu"},
      {model.bias, "model.bias=false, not true"},
      {model.positions == PositionKind::kLearned,
       "model.positions=" + std::string(enum_name(model.positions)) + ", not learned"},
      {model.kv_head_count() == model.heads,
       "model.kv_heads=" + std::to_string(model.kv_head_count()) + ", not one for each head"},
      {model.query_width() == model.dim,
       "model.head_width=" + std::to_string(model.head_dim()) + ", not dim / heads"}};
  std::string others;
  for (const auto& [fits, other] : wanted) {
    others += fits ? "" : (others.empty() ? "" : "; ") + other;
  }
  if (!others.empty()) {
    return cannot_hold(
        "hf's files of models of images are ViTForImageClassification's, and this one has " +
        others);
  }
  return NameScheme::kHfVit;
}

// GGUF's readers want all but the matrices in f32.
void choose_type(NameScheme scheme, StoredType wanted, ExportTensor& tensor) {
  const bool matrix = tensor.shape.size() == 2 && tensor.parts.front().name != "positions.weight";
  if (!matrix) {
    tensor.type = is_gguf(scheme) ? StoredType::kF32 : wanted;
    return;
  }
  tensor.type = fitting_type(wanted, tensor.shape[1]);
  if (tensor.type != wanted) {
    tensor.fallback = tensor.parts.front().name + ": " + std::string(info_of(tensor.type).name) +
                      ", its rows of " + std::to_string(tensor.shape[1]) +
                      " are not whole blocks of " + std::to_string(info_of(wanted).block_elements);
  }
}

}  // namespace

Result<NameScheme> export_scheme(const ModelConfig& model, ModelFormat format) {
  const bool gguf = format == ModelFormat::kGguf;
  if (model.images()) {
    return vit_scheme(model, gguf);
  }
  if (model.norm == NormKind::kRms && model.gated() && model.positions == PositionKind::kRope) {
    if (model.window != 0 && model.bias) {
      return cannot_hold("mistral's files have no biases, and this model has them");
    }
    if (gguf && (model.window != 0 || model.rope_scaling == RopeScalingKind::kLlama3)) {
      return cannot_hold("a sliding window and llama3's rope scaling are not written to gguf");
    }
    return gguf ? NameScheme::kGgufLlama : NameScheme::kHfLlama;
  }
  const bool gpt2 = model.norm == NormKind::kLayer && !model.gated() && model.bias &&
                    model.positions == PositionKind::kLearned && model.window == 0 &&
                    model.query_width() == model.dim;
  const bool one_key = model.kv_head_count() == 1;
  if (!gpt2 || !(one_key || model.kv_head_count() == model.heads)) {
    return cannot_hold(
        "models of the shapes of LLaMA (rms norm, swiglu, rope, no biases), GPT-2 and GPT-BigCode "
        "(layer norm, gelu, learned positions, biases, all or one key head) are exported; this one "
        "has another");
  }
  if (gguf && model.mlp == MlpKind::kGelu) {
    return cannot_hold("gguf's readers compute gelu by its approximation, this model does not");
  }
  if (gguf) {
    return NameScheme::kGgufGpt2;
  }
  return one_key && model.heads > 1 ? NameScheme::kHfBigCode : NameScheme::kHfGpt2;
}

WrittenModel written_model(const ModelConfig& source, const std::vector<LinearPlan>& plans,
                           Factors factors) {
  if (factors == Factors::kKeep) {
    return {source, plans};
  }
  ModelConfig config = source;
  config.bias = source.bias || std::any_of(plans.begin(), plans.end(),
                                           [](const LinearPlan& plan) { return plan.bias; });
  return {config, dense_plan(config)};
}

const ModelTensor* kept_as_stored(const ModelFile& source, const ExportTensor& tensor) {
  const ModelTensor* there =
      tensor.parts.size() == 1 ? source.find(tensor.parts.front().name) : nullptr;
  const bool kept = there != nullptr && is_ours(tensor.type) && there->stored.type == tensor.type &&
                    tensor.parts.front().turn == Turn::kNone && has_stored_rows(*there);
  return kept ? there : nullptr;
}

std::vector<ExportTensor> export_tensors(const ModelFile& source, const WrittenModel& model,
                                         NameScheme scheme, const ExportRequest& request) {
  std::vector<ExportTensor> list;
  std::map<std::string, std::size_t> places;
  for (NamedWeight& named : slot_weights(model.config, scheme, model.slots)) {
    const auto [place, is_new] = places.emplace(named.stored_name, list.size());
    ModelTensor& part = named.tensor;
    const bool transposed = part.turn == Turn::kTransposed;
    if (is_new) {
      ExportTensor& tensor = list.emplace_back();
      tensor.stored_name = named.stored_name;
      tensor.shape = part.shape;
      if (transposed) {
        std::swap(tensor.shape[0], tensor.shape[1]);
      }
    } else {
      list[place->second].shape[transposed ? 1 : 0] += part.shape[0];
    }
    list[place->second].parts.push_back(std::move(part));
  }
  for (ExportTensor& tensor : list) {
    choose_type(scheme, request.type, tensor);
    const ModelTensor* there = source.find(tensor.parts.front().name);
    if (there != nullptr && is_ours(there->stored.type) && !is_gguf(scheme) &&
        request.factors == Factors::kKeep) {
      ExportTensor same = tensor;
      same.type = there->stored.type;
      tensor = kept_as_stored(source, same) != nullptr ? same : tensor;
    }
  }
  return list;
}

bool is_factored(const ModelFile& source, const std::string& name) {
  return !factored_slot(source, name).empty();
}

std::vector<float> dense_values(const ModelFile& source, const ModelTensor& wanted) {
  const std::string& name = wanted.name;
  if (const ModelTensor* tensor = source.find(name)) {
    return values_of(*tensor);
  }
  if (name.ends_with(".bias")) {
    return std::vector<float>(static_cast<std::size_t>(wanted.elements()));
  }
  const std::string slot = factored_slot(source, name);
  CHECK(!slot.empty(), "a slot is a matrix or two factors");
  return product(*source.find(slot + ".b"), *source.find(slot + ".a"));
}

std::vector<std::byte> encoded_tensor(const ModelFile& source, const ExportTensor& tensor) {
  if (const ModelTensor* kept = kept_as_stored(source, tensor)) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(kept->stored_bytes()));
    copy_stored_rows(*kept, bytes.data());
    return bytes;
  }
  const std::vector<float> values = joined_values(source, tensor);
  const auto elements = static_cast<std::int64_t>(values.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(stored_bytes(tensor.type, elements)));
  encode_row(tensor.type, values.data(), bytes.data(), elements);
  return bytes;
}

void round_to_type(StoredType type, std::vector<float>& values) {
  const auto elements = static_cast<std::int64_t>(values.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(stored_bytes(type, elements)));
  encode_row(type, values.data(), bytes.data(), elements);
  decode_row(type, bytes.data(), values.data(), elements);
}

}  // namespace lathe
