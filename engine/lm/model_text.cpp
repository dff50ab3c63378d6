// The tokenizer and chat template that come with a model.
#include "engine/base/hash.h"
#include "engine/base/json.h"
#include "engine/lm/language_model.h"
#include "engine/lm/model_vocabulary.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/tokenizer_json.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

void take(Result<std::unique_ptr<TextTokenizer>> made, ModelText& text) {
  if (made) {
    text.tokenizer = std::move(*made);
  } else {
    text.problem = made.error().text();
  }
}

void update(Sha256& digest, const std::string& text) {
  const std::size_t size = text.size();
  digest.update(&size, sizeof size);
  digest.update(text.data(), size);
}

std::string digest_of(const GgufVocabulary& vocabulary) {
  Sha256 digest;
  for (const std::string* text : {&vocabulary.model, &vocabulary.pre}) {
    update(digest, *text);
  }
  for (const auto* list : {&vocabulary.tokens, &vocabulary.merges}) {
    for (const std::string& text : *list) {
      update(digest, text);
    }
  }
  digest.update(vocabulary.scores.data(), vocabulary.scores.size() * sizeof vocabulary.scores[0]);
  digest.update(vocabulary.types.data(), vocabulary.types.size() * sizeof vocabulary.types[0]);
  const SpecialTokens& special = vocabulary.special;
  for (const std::int32_t number : {special.bos, special.eos, std::int32_t{special.add_bos},
                                    std::int32_t{vocabulary.add_space_prefix}}) {
    digest.update(&number, sizeof number);
  }
  return digest.hex();
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
  std::string source;
  if (fs::exists(tokenizer, failed)) {
    source = file_text(tokenizer);
    take(read_tokenizer_json(source, config, tokenizer.string()), text);
  } else if (fs::exists(pieces, failed)) {
    source = file_text(pieces);
    take(read_sentencepiece(source, pieces.string()), text);
  }
  Sha256 digest;
  update(digest, source);
  update(digest, config);
  text.digest = digest.hex();
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
    GgufVocabulary vocabulary = stored_vocabulary(*file.gguf(), file.path().string());
    text.digest = digest_of(vocabulary);
    take(make_tokenizer(std::move(vocabulary)), text);
  }
  return text;
}

}  // namespace lathe
