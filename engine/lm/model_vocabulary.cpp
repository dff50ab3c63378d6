// See model_vocabulary.h.
#include "engine/lm/model_vocabulary.h"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "engine/tokenizer/pre_tokenizer.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/tokenizer_json.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

std::int32_t id_of(const GgufFile& file, const std::string& key) {
  const auto* id = file.get<std::int64_t>(key);
  return id != nullptr && *id >= 0 && *id < (std::int64_t{1} << 30) ? static_cast<std::int32_t>(*id)
                                                                    : -1;
}

bool flag_of(const GgufFile& file, const std::string& key, bool otherwise) {
  const auto* flag = file.get<bool>(key);
  return flag != nullptr ? *flag : otherwise;
}

Result<PortableVocabulary> folder_vocabulary(const fs::path& folder) {
  const fs::path tokenizer = folder / "tokenizer.json";
  const fs::path pieces = folder / "tokenizer.model";
  std::error_code failed;
  if (fs::exists(tokenizer, failed)) {
    const auto parts = read_tokenizer_parts(
        file_text(tokenizer), file_text(folder / "tokenizer_config.json"), tokenizer.string());
    return parts ? portable_vocabulary(*parts) : parts.error();
  }
  if (!fs::exists(pieces, failed)) {
    return Error{ErrorKind::kData, folder.string() + " has no tokenizer",
                 "put its tokenizer.json there"};
  }
  auto vocabulary = read_sentencepiece_vocabulary(file_text(pieces), pieces.string());
  if (!vocabulary) {
    return vocabulary.error();
  }
  return PortableVocabulary{.vocabulary = std::move(*vocabulary), .losses = {}};
}

}  // namespace

std::string file_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return in ? text.str() : "";
}

GgufVocabulary stored_vocabulary(const GgufFile& file, const std::string& origin) {
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
  const bool begins = vocabulary.model == "llama" || pre_tokenizer_is_llama3(vocabulary.pre);
  vocabulary.special = {.bos = id_of(file, root + "bos_token_id"),
                        .eos = id_of(file, root + "eos_token_id"),
                        .pad = id_of(file, root + "padding_token_id"),
                        .unknown = id_of(file, root + "unknown_token_id"),
                        .add_bos = flag_of(file, root + "add_bos_token", begins),
                        .add_eos = flag_of(file, root + "add_eos_token", false)};
  vocabulary.add_space_prefix = flag_of(file, root + "add_space_prefix", true);
  vocabulary.origin = origin;
  return vocabulary;
}

Result<PortableVocabulary> model_vocabulary(const ModelFile& file) {
  if (file.format() == ModelFormat::kHuggingFace) {
    return folder_vocabulary(file.path());
  }
  const auto* model =
      file.gguf() == nullptr ? nullptr : file.gguf()->get<std::string>("tokenizer.ggml.model");
  if (model == nullptr || *model == "none" || *model == "no_vocab") {
    return Error{ErrorKind::kData, file.path().string() + " has no tokenizer",
                 "convert the model again, with its tokenizer"};
  }
  return PortableVocabulary{.vocabulary = stored_vocabulary(*file.gguf(), file.path().string()),
                            .losses = {}};
}

}  // namespace lathe
