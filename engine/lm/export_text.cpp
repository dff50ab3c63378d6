// See export_text.h.
#include "engine/lm/export_text.h"

#include <algorithm>
#include <array>
#include <variant>

#include "engine/base/atomic_file.h"
#include "engine/lm/model_vocabulary.h"
#include "engine/tokenizer/tokenizer_json_writer.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

// Letters, digits, signs, spaces and scripts that word rules and merges treat differently.
constexpr std::string_view kProof =
    "The quick brown fox's 12345 jumps; isn't it?  Tabs\tand\n\nlines\r\n   "
    "def f(x):\n    return x**2 != 3.14e-10  # ok\n\xC3\x84rger na\xC3\xAFve \xE2\x82\xAC 5 "
    "\xE6\xBC\xA2\xE5\xAD\x97\xE3\x81\x8B\xE3\x81\xAA \xD0\x9F\xD1\x80\xD0\xB8 "
    "\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85 \xF0\x9F\x99\x82\xE2\x80\x8D \xC2\xBD\xE2\x85\xA7 e\xCC\x81";

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

void set_vocabulary(const GgufVocabulary& vocabulary, GgufWriter& writer) {
  const std::string root = "tokenizer.ggml.";
  writer.set_text(root + "model", vocabulary.model);
  writer.set_texts(root + "tokens", vocabulary.tokens);
  writer.set_i32s(root + "token_type", vocabulary.types);
  if (vocabulary.model == "gpt2") {
    writer.set_text(root + "pre", vocabulary.pre);
    writer.set_texts(root + "merges", vocabulary.merges);
  } else {
    writer.set_text(root + "pre", "default");
    writer.set_f32s(root + "scores", vocabulary.scores);
    writer.set_bool(root + "add_space_prefix", vocabulary.add_space_prefix);
  }
  const SpecialTokens& special = vocabulary.special;
  for (const auto& [key, id] :
       {std::pair{"bos_token_id", special.bos}, std::pair{"eos_token_id", special.eos},
        std::pair{"unknown_token_id", special.unknown},
        std::pair{"padding_token_id", special.pad}}) {
    if (id >= 0) {
      writer.set_u32(root + key, static_cast<std::uint32_t>(id));
    }
  }
  writer.set_bool(root + "add_bos_token", special.add_bos);
  writer.set_bool(root + "add_eos_token", special.add_eos);
}

bool is_same_format(const ExportText& text, ModelFormat format) {
  return text.source != nullptr && text.source->format() == format;
}

Result<PortableVocabulary> found_vocabulary(const ModelFile* source, const ExportRequest& request) {
  if (request.corpus_tokenizer != nullptr) {
    return portable_vocabulary(*request.corpus_tokenizer);
  }
  if (source == nullptr) {
    return Error{ErrorKind::kData, request.text_problem, ""};
  }
  const ModelText known = read_model_text(*source);
  if (known.tokenizer == nullptr && !known.problem.empty()) {
    return Error{ErrorKind::kData, known.problem, ""};
  }
  return model_vocabulary(*source);
}

// The marks as the model's own tokenizer sees them: readers of keys know defaults that keys do not
// spell out.
Result<std::string> take_vocabulary(PortableVocabulary found, std::int64_t ids, ExportText& text) {
  GgufVocabulary& vocabulary = found.vocabulary;
  const auto tokens = static_cast<std::int64_t>(vocabulary.tokens.size());
  if (tokens > ids) {
    return Error{ErrorKind::kData,
                 "it has " + std::to_string(tokens) + " tokens, the model " + std::to_string(ids),
                 ""};
  }
  fill_up(vocabulary, ids);
  std::string fate =
      "written anew (" + vocabulary.model + ", " + std::to_string(tokens) + " tokens";
  fate += vocabulary.pre.empty() ? ")" : ", words cut as " + vocabulary.pre + ")";
  for (const std::string& loss : found.losses) {
    fate += "; " + loss;
  }
  text.vocabulary = std::move(vocabulary);
  return fate;
}

}  // namespace

ExportText export_text(const ModelFile& source, const ExportRequest& request) {
  ExportText text;
  if (source.config().images()) {
    text.fate = "none, it classifies images";
    return text;
  }
  const bool own = request.corpus_tokenizer != nullptr;
  const bool untold = source.format() == ModelFormat::kCheckpoint && request.text_of == nullptr;
  text.source = own || untold ? nullptr : request.text_of != nullptr ? request.text_of : &source;
  if (text.source != nullptr) {
    text.chat_template = read_model_text(*text.source).chat_template;
  }
  auto found = found_vocabulary(text.source, request);
  Result<std::string> fate =
      found ? take_vocabulary(std::move(*found), source.config().vocab_size, text) : found.error();
  if (is_same_format(text, request.format)) {
    text.fate = "carried over as it is";
  } else {
    text.fate = fate ? *fate : "none (" + fate.error().message + "): it takes and gives ids only";
  }
  if (!text.chat_template.empty()) {
    text.fate += "; with the chat template";
  }
  return text;
}

void set_tokenizer(const ExportText& text, GgufWriter& writer) {
  if (is_same_format(text, ModelFormat::kGguf)) {
    for (const auto& [key, value] : text.source->gguf()->keys()) {
      if (key.starts_with("tokenizer.")) {
        set_value(key, value, writer);
      }
    }
    return;
  }
  if (text.vocabulary) {
    set_vocabulary(*text.vocabulary, writer);
  } else {
    writer.set_text("tokenizer.ggml.model", "no_vocab");
  }
  if (!text.chat_template.empty()) {
    writer.set_text("tokenizer.chat_template", text.chat_template);
  }
}

Result<void> write_tokenizer(const ExportText& text, std::int64_t context, const fs::path& folder) {
  constexpr std::array<const char*, 9> kFiles{"tokenizer.json",
                                              "tokenizer_config.json",
                                              "tokenizer.model",
                                              "vocab.json",
                                              "merges.txt",
                                              "special_tokens_map.json",
                                              "added_tokens.json",
                                              "chat_template.jinja",
                                              "generation_config.json"};
  if (is_same_format(text, ModelFormat::kHuggingFace)) {
    std::error_code failed;
    for (const char* name : kFiles) {
      if (fs::exists(text.source->path() / name, failed)) {
        fs::copy_file(text.source->path() / name, folder / name, failed);
      }
      if (failed) {
        return Error{ErrorKind::kDisk, "cannot copy " + std::string(name) + ": " + failed.message(),
                     "check the free space"};
      }
    }
    return {};
  }
  if (!text.vocabulary) {
    return {};
  }
  const auto tokenizer = tokenizer_json(*text.vocabulary);
  if (!tokenizer) {
    return tokenizer.error();
  }
  const Result<void> written = write_file_atomically(folder / "tokenizer.json", *tokenizer);
  return written ? write_file_atomically(
                       folder / "tokenizer_config.json",
                       tokenizer_config_json(*text.vocabulary, text.chat_template, context))
                 : written;
}

Result<void> prove_tokenizer(const ExportText& text, const ExportRequest& request,
                             const LanguageModel& written) {
  std::vector<std::int32_t> expected;
  if (request.corpus_tokenizer != nullptr && text.vocabulary) {
    Encoder(*request.corpus_tokenizer).encode(kProof, expected);
  } else if (text.source != nullptr && text.vocabulary) {
    const ModelText known = read_model_text(*text.source);
    if (known.tokenizer == nullptr) {
      return {};
    }
    expected = known.tokenizer->encode(kProof);
  } else {
    return {};
  }
  const bool alike =
      written.tokenizer() != nullptr && written.tokenizer()->encode(kProof) == expected;
  if (!alike) {
    return Error{
        ErrorKind::kMismatch,
        "the tokenizer that was written gives other ids than the model's own" +
            (written.tokenizer_problem().empty() ? "" : ": " + written.tokenizer_problem()),
        "nothing was kept; please report it with the model's name"};
  }
  return {};
}

}  // namespace lathe
