// Each part of tokenizer.json is read by one function into BpeParts; what is not known is refused
// by its name rather than left out, because a tokenizer that is nearly right is wrong everywhere.
#include "engine/tokenizer/tokenizer_json.h"

#include <algorithm>

#include "engine/base/json.h"

namespace lathe {
namespace {

// Sorted keys: the ordered kind looks up by walking, and a vocabulary has 50 000.
using Document = nlohmann::json;

constexpr std::int64_t kLargestId = (1 << 20) - 1;  // as many as a model may have
constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";

struct Refused {
  std::string what;
};

// One reading of one file. Private functions throw Refused; read() turns it into an Error.
class Reader {
 public:
  explicit Reader(std::string_view origin) { parts_.origin = origin; }

  BpeParts read(const Document& document, const Document& config) {
    const Document& model = member(document, "model");
    read_model(model);
    read_normalizer(document.value("normalizer", Document()));
    parts_.bytes = false;
    read_pre_tokenizer(document.value("pre_tokenizer", Document()));
    read_marks(document.value("added_tokens", Document::array()));
    read_post_processor(document.value("post_processor", Document()));
    read_config(config);
    return std::move(parts_);
  }

 private:
  [[noreturn]] static void refuse(const std::string& what) { throw Refused{what}; }

  static const Document& member(const Document& object, const char* key) {
    if (!object.is_object() || !object.contains(key)) {
      refuse(std::string("it has no ") + key);
    }
    return object.at(key);
  }
  static std::string text(const Document& object, const char* key) {
    const Document& value = member(object, key);
    if (!value.is_string()) {
      refuse(std::string(key) + " is no text");
    }
    return value.get<std::string>();
  }
  static bool flag(const Document& object, const char* key, bool otherwise) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
  }
  static std::int32_t id_of(const Document& value) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0 ||
        value.get<std::int64_t>() > kLargestId) {
      refuse("a token's id is " + value.dump().substr(0, 40) + ", not a number up to " +
             std::to_string(kLargestId));
    }
    return value.get<std::int32_t>();
  }

  void read_model(const Document& model) {
    const std::string type = model.is_object() ? model.value("type", "BPE") : "";
    if (type != "BPE") {
      refuse("its model is of type " + type + "; only BPE is known here");
    }
    for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"}) {
      const auto found = model.find(key);
      if (found != model.end() && !found->is_null() && *found != "" && *found != 0.0) {
        refuse(std::string("its model sets ") + key + ", which is not known here");
      }
    }
    const auto unknown = model.find("unk_token");
    if (unknown != model.end() && unknown->is_string()) {
      unknown_ = unknown->get<std::string>();
    }
    for (const auto& [token, id] : member(model, "vocab").items()) {
      put_token(id_of(id), token);
    }
    for (const Document& merge : member(model, "merges")) {
      read_merge(merge);
    }
    parts_.whole_words_first = flag(model, "ignore_merges", false);
    parts_.bytes_as_last_resort = flag(model, "byte_fallback", false);
    parts_.joins_unknown = flag(model, "fuse_unk", false);
    parts_.drops_unknown = unknown_.empty();
  }

  void put_token(std::int32_t id, const std::string& token) {
    const auto place = static_cast<std::size_t>(id);
    if (place >= parts_.tokens.size()) {
      parts_.tokens.resize(place + 1);
    }
    if (!parts_.tokens[place].empty()) {
      refuse("two tokens have the id " + std::to_string(id));
    }
    parts_.tokens[place] = token;
    if (!token.empty() && token == unknown_) {
      parts_.special.unknown = id;
    }
  }

  void read_merge(const Document& merge) {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      parts_.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
      return;
    }
    const std::string both = merge.is_string() ? merge.get<std::string>() : "";
    const std::size_t space = both.find(' ', 1);
    if (space == std::string::npos || space + 1 >= both.size()) {
      refuse("a merge is " + merge.dump().substr(0, 60) + ", not two tokens");
    }
    parts_.merges.emplace_back(both.substr(0, space), both.substr(space + 1));
  }

  // LLaMA 2: a "▁" before the text and for each space.
  void read_normalizer(const Document& normalizer) {
    if (normalizer.is_null()) {
      return;
    }
    const std::string type = text(normalizer, "type");
    if (type == "Sequence") {
      for (const Document& one : member(normalizer, "normalizers")) {
        read_normalizer(one);
      }
    } else if (type == "Prepend" && text(normalizer, "prepend") == kSpaceSymbol) {
      parts_.first_space = FirstSpace::kAlways;
    } else if (type == "Replace" && text(normalizer, "content") == kSpaceSymbol &&
               text(member(normalizer, "pattern"), "String") == " ") {
      escapes_spaces_ = true;
    } else {
      refuse("its normalizer is " + type + ", which is not known here");
    }
  }

  void read_pre_tokenizer(const Document& splitter) {
    if (splitter.is_null()) {
      require_escaped_spaces();
      return;
    }
    const std::string type = text(splitter, "type");
    if (type == "Sequence") {
      for (const Document& one : member(splitter, "pretokenizers")) {
        read_pre_tokenizer(one);
      }
    } else if (type == "ByteLevel") {
      parts_.bytes = true;
      parts_.space_before_text = flag(splitter, "add_prefix_space", true);
      if (parts_.space_before_text && !parts_.rules.empty()) {
        refuse("its ByteLevel sets add_prefix_space behind other rules, which is not known here");
      }
      if (flag(splitter, "use_regex", true)) {
        parts_.rules.emplace_back(pre_tokenizer_rules("gpt-2")->front());
      }
    } else if (type == "Digits") {
      parts_.rules.emplace_back(flag(splitter, "individual_digits", false) ? R"(\p{N})"
                                                                           : R"(\p{N}+)");
    } else if (type == "Split") {
      read_split(splitter);
    } else if (type == "Metaspace") {
      read_metaspace(splitter);
    } else {
      refuse("its pre-tokenizer is " + type + ", which is not known here");
    }
  }

  void require_escaped_spaces() const {
    if (!escapes_spaces_) {
      refuse("it has neither a pre-tokenizer nor a normalizer for spaces");
    }
  }

  void read_split(const Document& split) {
    const Document& pattern = member(split, "pattern");
    const std::string behaviour = text(split, "behavior");
    if (behaviour != "Isolated" || flag(split, "invert", false)) {
      refuse("its Split has the behavior " + behaviour + "; only Isolated is known here");
    }
    if (pattern.is_object() && pattern.contains("Regex")) {
      parts_.rules.push_back(text(pattern, "Regex"));
    } else {
      parts_.rules.push_back("\\Q" + text(pattern, "String") + "\\E");
    }
  }

  void read_metaspace(const Document& metaspace) {
    if (text(metaspace, "replacement") != kSpaceSymbol || flag(metaspace, "split", true)) {
      refuse("its Metaspace replaces by something else than U+2581, or splits; that is not known");
    }
    const std::string scheme = metaspace.value("prepend_scheme", "always");
    parts_.first_space_once = true;
    parts_.first_space = scheme == "never"   ? FirstSpace::kNever
                         : scheme == "first" ? FirstSpace::kFirst
                                             : FirstSpace::kAlways;
  }

  void read_marks(const Document& added) {
    for (const Document& one : added) {
      Mark mark;
      mark.id = id_of(member(one, "id"));
      mark.text = text(one, "content");
      mark.special = flag(one, "special", false);
      if (flag(one, "single_word", false)) {
        refuse("its token " + mark.text + " sets single_word, which is not known here");
      }
      mark.strips_left = flag(one, "lstrip", false);
      mark.strips_right = flag(one, "rstrip", false);
      parts_.marks.push_back(std::move(mark));
      if (parts_.marks.back().text == unknown_) {
        parts_.special.unknown = parts_.marks.back().id;
      }
    }
  }

  std::int32_t mark_id(const std::string& name) const {
    for (const Mark& mark : parts_.marks) {
      if (mark.text == name) {
        return mark.id;
      }
    }
    const auto found = std::find(parts_.tokens.begin(), parts_.tokens.end(), name);
    return found == parts_.tokens.end() ? -1
                                        : static_cast<std::int32_t>(found - parts_.tokens.begin());
  }

  // Marks that stand before and after a single text.
  void read_post_processor(const Document& processor) {
    if (processor.is_null()) {
      return;
    }
    const std::string type = text(processor, "type");
    if (type == "Sequence") {
      for (const Document& one : member(processor, "processors")) {
        read_post_processor(one);
      }
    } else if (type == "TemplateProcessing") {
      read_template(member(processor, "single"));
    } else if (type != "ByteLevel") {  // that one only moves offsets
      refuse("its post-processor is " + type + ", which is not known here");
    }
  }

  void read_template(const Document& single) {
    bool before = true;
    for (const Document& piece : single) {
      if (piece.is_object() && piece.contains("Sequence")) {
        before = false;
        continue;
      }
      const std::int32_t id = mark_id(text(member(piece, "SpecialToken"), "id"));
      (before ? parts_.special.bos : parts_.special.eos) = id;
      (before ? parts_.special.add_bos : parts_.special.add_eos) = true;
    }
  }

  // {"bos_token": "<s>"} or {"bos_token": {"content": "<s>"}}.
  void read_config(const Document& config) {
    SpecialTokens& special = parts_.special;
    for (const auto& [key, id] :
         {std::pair{"bos_token", &special.bos}, std::pair{"eos_token", &special.eos},
          std::pair{"pad_token", &special.pad}, std::pair{"unk_token", &special.unknown}}) {
      if (!config.is_object() || !config.contains(key)) {
        continue;
      }
      const Document& value = config.at(key);
      const Document& name = value.is_object() ? value.value("content", Document()) : value;
      const std::int32_t found = name.is_string() ? mark_id(name.get<std::string>()) : -1;
      *id = found >= 0 ? found : *id;
    }
    if (config.is_object()) {
      special.add_bos = flag(config, "add_bos_token", special.add_bos);
      special.add_eos = flag(config, "add_eos_token", special.add_eos);
    }
  }

  BpeParts parts_;
  std::string unknown_;
  bool escapes_spaces_ = false;
};

Error unreadable(std::string_view origin, const std::string& what) {
  return {ErrorKind::kData, std::string(origin) + ": " + what,
          "known are the BPE tokenizers of GPT-2, LLaMA, SmolLM2, StarCoder and Mistral models"};
}

}  // namespace

Result<BpeParts> read_tokenizer_parts(std::string_view text, std::string_view config,
                                      std::string_view origin) {
  const auto document = parse_document<Document>(text, "it", false);
  const auto settings =
      parse_document<Document>(config.empty() ? "{}" : config, "its tokenizer_config.json", false);
  if (!document || !settings) {
    return unreadable(origin, (document ? settings.error() : document.error()).message);
  }
  try {
    return Reader(origin).read(*document, *settings);
  } catch (const Refused& refused) {
    return unreadable(origin, refused.what);
  } catch (const Document::exception& wrong) {
    return unreadable(origin, wrong.what());
  }
}

Result<std::unique_ptr<TextTokenizer>> read_tokenizer_json(std::string_view text,
                                                           std::string_view config,
                                                           std::string_view origin) {
  Result<BpeParts> parts = read_tokenizer_parts(text, config, origin);
  return parts ? make_bpe_tokenizer(std::move(*parts)) : parts.error();
}

}  // namespace lathe
