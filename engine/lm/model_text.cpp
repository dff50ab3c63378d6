// The tokenizer and chat template that come with a model.
#include <algorithm>
#include <fstream>
#include <sstream>

#include "engine/base/json.h"
#include "engine/lm/language_model.h"
#include "engine/tokenizer/gguf_vocabulary.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/tokenizer_json.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

std::string file_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return in ? text.str() : "";
}

void take(Result<std::unique_ptr<TextTokenizer>> made, ModelText& text) {
  if (made) {
    text.tokenizer = std::move(*made);
  } else {
    text.problem = made.error().text();
  }
}

std::int32_t id_of(const GgufFile& file, const std::string& key) {
  const auto* id = file.get<std::int64_t>(key);
  return id != nullptr && *id >= 0 && *id < (std::int64_t{1} << 30) ? static_cast<std::int32_t>(*id)
                                                                    : -1;
}

bool flag_of(const GgufFile& file, const std::string& key, bool otherwise) {
  const auto* flag = file.get<bool>(key);
  return flag != nullptr ? *flag : otherwise;
}

GgufVocabulary vocabulary_of(const GgufFile& file, const std::string& origin) {
  const std::string root = "tokenizer.ggml.";
  const auto copy = [&]<typename T>(const std::string& key, T& out) {
    if (const T* value = file.get<T>(root + key)) {
      out = *value;
    }
  };
  GgufVocabulary vocabulary;
  copy("model", vocabulary.model);
  copy("pre", vocabulary.pre);
  copy("tokens", vocabulary.tokens);
  copy("merges", vocabulary.merges);
  if (const auto* scores = file.get<GgufReals>(root + "scores")) {
    std::transform(scores->begin(), scores->end(), std::back_inserter(vocabulary.scores),
                   [](double score) { return static_cast<float>(score); });
  }
  if (const auto* types = file.get<GgufIntegers>(root + "token_type")) {
    std::transform(types->begin(), types->end(), std::back_inserter(vocabulary.types),
                   [](std::int64_t type) { return static_cast<std::int32_t>(type); });
  }
  const bool pieces = vocabulary.model == "llama";
  vocabulary.special = {.bos = id_of(file, root + "bos_token_id"),
                        .eos = id_of(file, root + "eos_token_id"),
                        .pad = id_of(file, root + "padding_token_id"),
                        .unknown = id_of(file, root + "unknown_token_id"),
                        .add_bos = flag_of(file, root + "add_bos_token", pieces),
                        .add_eos = flag_of(file, root + "add_eos_token", false)};
  vocabulary.add_space_prefix = flag_of(file, root + "add_space_prefix", true);
  vocabulary.origin = origin;
  return vocabulary;
}

// tokenizer_config.json's chat_template, or the file that newer folders keep it in.
std::string template_of(const fs::path& folder, const std::string& config) {
  const std::string own = file_text(folder / "chat_template.jinja");
  if (!own.empty() || config.empty()) {
    return own;
  }
  const Result<Json> json = parse_json(config, "tokenizer_config.json");
  const bool object = json && json->is_object();
  const bool has =
      object && json->contains("chat_template") && (*json)["chat_template"].is_string();
  return has ? (*json)["chat_template"].get<std::string>() : "";
}

ModelText read_folder_text(const fs::path& folder) {
  ModelText text;
  const std::string config = file_text(folder / "tokenizer_config.json");
  const fs::path tokenizer = folder / "tokenizer.json";
  const fs::path pieces = folder / "tokenizer.model";
  std::error_code failed;
  if (fs::exists(tokenizer, failed)) {
    take(read_tokenizer_json(file_text(tokenizer), config, tokenizer.string()), text);
  } else if (fs::exists(pieces, failed)) {
    take(read_sentencepiece(file_text(pieces), pieces.string()), text);
  }
  text.chat_template = template_of(folder, config);
  return text;
}

}  // namespace

ModelText read_model_text(const ModelFile& file) {
  if (file.format() == ModelFormat::kHuggingFace) {
    return read_folder_text(file.path());
  }
  ModelText text;
  if (file.gguf() == nullptr) {
    return text;
  }
  if (const auto* chat = file.gguf()->get<std::string>("tokenizer.chat_template")) {
    text.chat_template = *chat;
  }
  const auto* model = file.gguf()->get<std::string>("tokenizer.ggml.model");
  if (model != nullptr && *model != "none" && *model != "no_vocab") {
    take(make_tokenizer(vocabulary_of(*file.gguf(), file.path().string())), text);
  }
  return text;
}

}  // namespace lathe
