// Exports as GGUF files (ggml's docs/gguf.md).
#include <map>

#include "engine/lm/export_files.h"

namespace lathe {
namespace {

// llama.cpp's LLAMA_FTYPE of a file whose matrices are of one type.
std::uint32_t file_type(StoredType type) {
  static const std::map<StoredType, std::uint32_t> kFileTypes{
      {StoredType::kF32, 0},  {StoredType::kF16, 1},  {StoredType::kQ4_0, 2},
      {StoredType::kQ4_1, 3}, {StoredType::kQ8_0, 7}, {StoredType::kQ6_K, 18},
      {StoredType::kBf16, 32}};
  const auto found = kFileTypes.find(type);
  return found == kFileTypes.end() ? 0 : found->second;
}

std::string architecture_of(const ExportPlan& plan) {
  const ModelConfig& model = plan.model.config;
  const bool one_key = model.kv_head_count() == 1 && model.heads > 1;
  return plan.scheme == NameScheme::kGgufLlama ? "llama" : one_key ? "starcoder" : "gpt2";
}

void set_shape_keys(const ModelConfig& model, const std::string& architecture, GgufWriter& writer) {
  const std::string prefix = architecture + ".";
  const auto set = [&](const std::string& key, std::int64_t value) {
    writer.set_u32(prefix + key, static_cast<std::uint32_t>(value));
  };
  set("context_length", model.context);
  set("embedding_length", model.dim);
  set("block_count", model.layers);
  set("feed_forward_length", model.ff_width());
  set("attention.head_count", model.heads);
  set("attention.head_count_kv", model.kv_head_count());
  set("vocab_size", model.vocab_size);
  if (architecture != "llama") {
    writer.set_f32(prefix + "attention.layer_norm_epsilon", static_cast<float>(model.norm_eps));
    return;
  }
  set("rope.dimension_count", model.head_dim());
  if (model.head_width != 0) {
    set("attention.key_length", model.head_width);
    set("attention.value_length", model.head_width);
  }
  writer.set_f32(prefix + "attention.layer_norm_rms_epsilon", static_cast<float>(model.norm_eps));
  writer.set_f32(prefix + "rope.freq_base", static_cast<float>(model.rope_theta));
  if (model.rope_scaling == RopeScalingKind::kLinear) {
    writer.set_text(prefix + "rope.scaling.type", "linear");
    writer.set_f32(prefix + "rope.scaling.factor", static_cast<float>(model.rope_factor));
  }
}

// Who made the source and under which licence, where its own file says so.
void set_origin(const ExportPlan& plan, const ExportReport& report, GgufWriter& writer) {
  if (plan.source.gguf() != nullptr) {
    for (const char* key : {"general.author", "general.license", "general.url"}) {
      if (const auto* text = plan.source.gguf()->get<std::string>(key)) {
        writer.set_text(key, *text);
      }
    }
  }
  writer.set_text("lathe.source_hash", report.source_hash);
  if (!plan.request.record.empty()) {
    writer.set_text("lathe.record", json_text(plan.request.record));
  }
}

}  // namespace

Result<void> write_gguf_file(const ExportPlan& plan, const std::filesystem::path& path,
                             ExportReport& report) {
  GgufWriter writer;
  const std::string architecture = architecture_of(plan);
  writer.set_text("general.architecture", architecture);
  writer.set_text("general.name", plan.request.name);
  writer.set_u32("general.file_type", file_type(plan.request.type));
  writer.set_u32("general.quantization_version", 2);
  set_origin(plan, report, writer);
  set_shape_keys(plan.model.config, architecture, writer);
  set_tokenizer(plan.text, writer);
  for (const ExportTensor& tensor : plan.tensors) {
    writer.declare(tensor.stored_name, tensor.type, tensor.shape);
  }
  const Result<void> opened = writer.open(path);
  return opened ? write_tensors(plan, writer, report) : opened;
}

}  // namespace lathe
