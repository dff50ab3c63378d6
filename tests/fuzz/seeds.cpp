// Writes what the fuzzers begin with: a folder for each, with sound files of every kind it reads,
// made by our own writers. Old ones are removed, so that a short run is the same each time.
#include <fstream>

#include "engine/base/check.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/token_type.h"
#include "tests/support/image_files.h"
#include "tests/support/model_folder.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  CHECK(file.flush().good(), "the folder of seeds can be written");
}

ModelConfig tiny_llama() {
  return {.dim = 8,
          .layers = 1,
          .heads = 2,
          .kv_heads = 1,
          .ff_dim = 8,
          .vocab_size = 8,
          .tied = false,
          .context = 16};
}

void set_llama(GgufWriter& writer, const ModelConfig& model) {
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
  u32("attention.key_length", model.head_dim());
  writer.set_f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  writer.set_f32("llama.rope.freq_base", 10000.0f);
  writer.set_text("llama.rope.scaling.type", "linear");
  writer.set_f32("llama.rope.scaling.factor", 2.0f);
}

void finish_gguf(GgufWriter& writer, const fs::path& path, const std::vector<std::size_t>& sizes) {
  fs::create_directories(path.parent_path());
  CHECK(writer.open(path).ok(), "the folder of seeds can be written");
  for (const std::size_t size : sizes) {
    const std::vector<std::byte> bytes(size, std::byte{1});
    CHECK(writer.write(bytes.data(), bytes.size()).ok(), "written");
  }
  CHECK(writer.commit().ok(), "written");
}

// A whole model with a tokenizer of pieces.
void write_gguf_model(const fs::path& path) {
  const ModelConfig model = tiny_llama();
  GgufWriter writer;
  set_llama(writer, model);
  writer.set_text("tokenizer.ggml.model", "llama");
  writer.set_texts("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "\xE2\x96\x81", "a", "b", "ab",
                                             "\xE2\x96\x81"
                                             "a"});
  writer.set_f32s("tokenizer.ggml.scores", {0, 0, 0, -1, -2, -3, -4, -5});
  writer.set_i32s("tokenizer.ggml.token_type", {2, 3, 3, 1, 1, 1, 1, 1});
  writer.set_u32("tokenizer.ggml.bos_token_id", 1);
  writer.set_u32("tokenizer.ggml.eos_token_id", 2);
  writer.set_u32("tokenizer.ggml.unknown_token_id", 0);
  writer.set_bool("tokenizer.ggml.add_bos_token", true);
  writer.set_text("tokenizer.chat_template", "{% for m in messages %}{{ m.content }}{% endfor %}");
  std::vector<std::size_t> sizes;
  for (const NamedWeight& weight : named_weights(model, NameScheme::kGgufLlama)) {
    writer.declare(weight.stored_name, StoredType::kF16, weight.tensor.shape);
    sizes.push_back(static_cast<std::size_t>(weight.tensor.elements()) * 2);
  }
  finish_gguf(writer, path, sizes);
}

// Every type of tensor, and a tokenizer of merges.
void write_gguf_types(const fs::path& path) {
  GgufWriter writer;
  writer.set_text("general.architecture", "gpt2");
  writer.set_u32("general.alignment", 32);
  writer.set_text("tokenizer.ggml.model", "gpt2");
  writer.set_text("tokenizer.ggml.pre", "smollm");
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(byte_symbol(static_cast<unsigned char>(byte)));
  }
  tokens.insert(tokens.end(), {"th", "the", "<|im_start|>"});
  std::vector<std::int32_t> types(tokens.size(), kNormalToken);
  types.back() = kControlToken;
  writer.set_texts("tokenizer.ggml.tokens", tokens);
  writer.set_i32s("tokenizer.ggml.token_type", types);
  writer.set_texts("tokenizer.ggml.merges", {"t h", "th e"});
  std::vector<std::size_t> sizes;
  for (int i = 0; i < kStoredTypeCount; ++i) {
    const auto type = static_cast<StoredType>(i);
    if (info_of(type).ggml_id == kNotOfGgml) {
      continue;
    }
    const std::int64_t columns = info_of(type).block_elements;
    writer.declare("w" + std::to_string(i), type, {2, columns});
    sizes.push_back(static_cast<std::size_t>(stored_bytes(type, 2 * columns)));
  }
  finish_gguf(writer, path, sizes);
}

void write_tensors(const fs::path& path) {
  SafetensorsWriter writer;
  writer.declare("a", DType::kF32, {2, 3});
  writer.declare("b.weight", DType::kBf16, {1, 2, 4});
  writer.declare("c", DType::kI32, {});
  writer.set_metadata("format", "pt");
  fs::create_directories(path.parent_path());
  CHECK(writer.open(path).ok(), "the folder of seeds can be written");
  const std::array<float, 6> zeros{};
  CHECK(writer.write(zeros.data(), 24).ok() && writer.write(zeros.data(), 16).ok() &&
            writer.write(zeros.data(), 4).ok() && writer.commit().ok(),
        "written");
}

void write_configs(const fs::path& folder) {
  Json llama = test::llama_json(test::small_llama());
  write(folder / "llama", llama.dump());
  Json factored = llama;
  factored["architectures"] = {"LatheFactoredLlamaForCausalLM"};
  factored["factored_slots"] = {
      {"model.layers.0.mlp.up_proj", {{"rank", 6}, {"bias", true}}},
      {"model.layers.1.self_attn.q_proj", {{"rank", 3}, {"bias", false}, {"between", "silu"}}}};
  factored["stored_types"] = {{"model.layers.0.mlp.up_proj.a.weight", "nf4"},
                              {"model.layers.1.mlp.down_proj.weight", "int3_g64"}};
  write(folder / "factored", factored.dump());
  llama["architectures"] = {"MistralForCausalLM"};
  llama["sliding_window"] = 32;
  llama["head_dim"] = 16;
  llama["rope_scaling"] = {{"rope_type", "llama3"},
                           {"factor", 8.0},
                           {"low_freq_factor", 1.0},
                           {"high_freq_factor", 4.0},
                           {"original_max_position_embeddings", 64}};
  write(folder / "mistral", llama.dump());
  write(folder / "gpt2", test::gpt2_json(test::small_gpt2(0)).dump());
  write(folder / "big_code", test::gpt2_json(test::small_gpt2(1)).dump());
}

void write_tokenizers(const fs::path& folder) {
  Json bytes = test::byte_tokenizer_json();
  bytes["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", "<|im_start|>"}}}}, {{"Sequence", {{"id", "A"}}}}}}};
  bytes["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Digits"}, {"individual_digits", true}},
        {{"type", "Split"}, {"pattern", {{"Regex", " ?\\p{L}+"}}}, {"behavior", "Isolated"}},
        {{"type", "ByteLevel"}, {"add_prefix_space", true}}}}};
  write(folder / "bytes", bytes.dump() + '\0' + R"({"eos_token":{"content":"<|im_end|>"}})");
  const Json characters{
      {"model",
       {{"type", "BPE"},
        {"unk_token", "<unk>"},
        {"fuse_unk", true},
        {"vocab", {{"<unk>", 0}, {"\xE2\x96\x81", 1}, {"a", 2}, {"b", 3}, {"ab", 4}}},
        {"merges", {"a b"}}}},
      {"normalizer",
       {{"type", "Sequence"},
        {"normalizers",
         {{{"type", "Prepend"}, {"prepend", "\xE2\x96\x81"}},
          {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\xE2\x96\x81"}}}}}},
      {"added_tokens", {{{"id", 5}, {"content", "<s>"}, {"special", true}, {"lstrip", true}}}}};
  write(folder / "characters", characters.dump());
  Json metaspace = characters;
  metaspace.erase("normalizer");
  metaspace["pre_tokenizer"] = {{"type", "Metaspace"},
                                {"replacement", "\xE2\x96\x81"},
                                {"prepend_scheme", "first"},
                                {"split", false}};
  write(folder / "metaspace", metaspace.dump());
}

void write_pieces(const fs::path& folder) {
  GgufVocabulary vocabulary;
  vocabulary.tokens = {"<unk>", "<s>", "</s>"};
  vocabulary.types = {kUnknownToken, kControlToken, kControlToken};
  for (int byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kDigits = "0123456789ABCDEF";
    const auto digit = [&](int value) { return kDigits[static_cast<std::size_t>(value)]; };
    vocabulary.tokens.push_back(std::string("<0x") + digit(byte / 16) + digit(byte % 16) + ">");
    vocabulary.types.push_back(kByteToken);
  }
  for (const char* piece : {"\xE2\x96\x81", "a", "n", "an",
                            "\xE2\x96\x81"
                            "an"}) {
    vocabulary.tokens.emplace_back(piece);
    vocabulary.types.push_back(kNormalToken);
  }
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    vocabulary.scores.push_back(-static_cast<float>(id));
  }
  vocabulary.special = {.bos = 1, .eos = 2, .pad = -1, .unknown = 0};
  write(folder / "bytes", sentencepiece_model(vocabulary));
  vocabulary.tokens = {"<unk>", "<s>", "</s>", "\xE2\x96\x81", "a", "b", "ab"};
  vocabulary.types = {kUnknownToken, kControlToken, kControlToken, 1, 1, 1, 4};
  vocabulary.scores = {0, 0, 0, -1, -2, -3, -1};
  write(folder / "small", sentencepiece_model(vocabulary));
  constexpr std::string_view kUnigram = "\x12\x02\x18\x01";  // the trainer's kind of model
  write(folder / "unigram", sentencepiece_model(vocabulary) + std::string(kUnigram));
}

void write_templates(const fs::path& folder) {
  write(folder / "chatml",
        "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}{{ '<s>' }}{% endif %}"
        "{{ '<|im_start|>' + m.role + '\n' + m.content | trim + '<|im_end|>' + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
  write(folder / "llama",
        "{%- if messages[0]['role'] == 'system' %}{% set system = messages[0].content.strip() %}"
        "{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif -%}"
        "{% set ns = namespace(n=0) %}{% for m in rest %}"
        "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% elif m.role == 'user' %}"
        "{{ bos_token ~ '[INST] ' ~ (system | default('')) ~ m.content ~ ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}"
        "{% set ns.n = ns.n + 1 %}{% endfor %}{# a comment #}{{ ns.n * 2 - 1 | int }}");
  write(folder / "macro",
        "{% macro line(a, b='x') %}{{ a|upper }}={{ b|tojson }}{% endmacro %}"
        "{% for i in range(3) %}{{ line(i|string, [1, 2.5, none, {'k': true}]) }}{% endfor %}"
        "{{ messages|map(attribute='role')|join(', ') }}{{ 'abc'[::-1] if tools is none else 1 }}");
}

void write_rows(const fs::path& folder) {
  write(folder / "lines",
        std::string(1, '\0') +
            "{\"instruction\":\"a\",\"input\":\"\",\"output\":\"b\",\"label\":1}\n"
            "\n{\"messages\":[{\"role\":\"user\",\"content\":\"h\"}]}\r\n");
  write(folder / "array",
        std::string(1, '\1') + R"([{"prompt":"p","response":"r","label":"3"},{"text":"\u00e9"}])");
  write(folder / "csv", std::string(1, '\2') + "text,label\r\n\"a \"\"b\"\"\nc\",2\nd,0\n");
}

// As fuzz_images.cpp tells them apart.
void write_images(const fs::path& folder) {
  const std::string labels = test::idx_labels(3);
  const std::string labels_length(1, static_cast<char>(labels.size()));
  write(folder / "idx", std::string(1, '\0') + labels_length + labels + test::idx_images(3));
  write(folder / "cifar10", "\1\7" + std::string(3072, 'x'));
  write(folder / "cifar100", "\2\7\50" + std::string(3072, 'x'));
  write(folder / "png_grey", "\3" + test::png(8, false));
  write(folder / "png_colour", "\3" + test::png(8, true));
  write(folder / "jpeg", "\3" + test::jpeg(8, 100));
  write(folder / "gzip", "\4" + test::gzipped(labels));
}

}  // namespace
}  // namespace lathe

int main(int count, char** arguments) {
  using namespace lathe;
  CHECK(count == 2, "usage: fuzz_seeds FOLDER");
  const fs::path root = arguments[1];
  fs::remove_all(root);
  write_gguf_model(root / "gguf" / "model");
  write_gguf_types(root / "gguf" / "types");
  write_tensors(root / "safetensors" / "three");
  write_configs(root / "config");
  write_tokenizers(root / "tokenizer_json");
  write_pieces(root / "sentencepiece");
  write_templates(root / "chat_template");
  write_rows(root / "rows");
  write_images(root / "images");
}
