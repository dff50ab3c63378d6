// See tokenizer_json_writer.h.
#include "engine/tokenizer/tokenizer_json_writer.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "engine/base/json.h"
#include "engine/tokenizer/pre_tokenizer.h"
#include "engine/tokenizer/token_type.h"
#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

constexpr const char* kSpaceSymbol = "\xE2\x96\x81";

std::int32_t type_of(const GgufVocabulary& vocabulary, std::size_t id) {
  return vocabulary.types.empty() ? kNormalToken : vocabulary.types[id];
}

bool is_mark(const GgufVocabulary& vocabulary, std::size_t id) {
  const std::int32_t type = type_of(vocabulary, id);
  return type == kControlToken || type == kUserToken || type == kUnknownToken;
}

Json vocab_json(const GgufVocabulary& vocabulary) {
  // Its entries are appended as to a list: looking a key up in an ordered object walks all of them.
  Json vocab = Json::object();
  Json::object_t::Container& entries = vocab.get_ref<Json::object_t&>();
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (type_of(vocabulary, id) != kUnusedToken) {
      entries.emplace_back(vocabulary.tokens[id], id);
    }
  }
  return vocab;
}

Json marks_json(const GgufVocabulary& vocabulary) {
  Json marks = Json::array();
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (is_mark(vocabulary, id)) {
      marks.push_back({{"id", id},
                       {"content", vocabulary.tokens[id]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", type_of(vocabulary, id) != kUserToken}});
    }
  }
  return marks;
}

Json byte_level(bool cuts) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", cuts}};
}

// The rules as the published tokenizers spell them: their digits and GPT-2's rule have names.
Json splitter_json(const std::vector<std::string_view>& rules) {
  const std::string_view gpt2 = pre_tokenizer_rules("gpt-2").value().front();
  Json list = Json::array();
  const bool ends_with_gpt2 = rules.back() == gpt2;
  for (std::size_t i = 0; i + (ends_with_gpt2 ? 1 : 0) < rules.size(); ++i) {
    if (rules[i] == R"(\p{N})") {
      list.push_back({{"type", "Digits"}, {"individual_digits", true}});
    } else {
      list.push_back({{"type", "Split"},
                      {"pattern", {{"Regex", std::string(rules[i])}}},
                      {"behavior", "Isolated"},
                      {"invert", false}});
    }
  }
  list.push_back(byte_level(ends_with_gpt2));
  return list.size() == 1 ? list.front() : Json{{"type", "Sequence"}, {"pretokenizers", list}};
}

// bos and eos around a text, where the model wants them.
Json template_json(const GgufVocabulary& vocabulary) {
  Json single = Json::array();
  Json pair = Json::array();
  Json names = Json::object();
  const auto mark = [&](std::int32_t id, int type) {
    const std::string& name = vocabulary.tokens[static_cast<std::size_t>(id)];
    const Json piece{{"SpecialToken", {{"id", name}, {"type_id", type}}}};
    names[name] = {{"id", name}, {"ids", {id}}, {"tokens", {name}}};
    if (type == 0) {
      single.push_back(piece);
    }
    pair.push_back(piece);
  };
  const SpecialTokens& special = vocabulary.special;
  for (int type = 0; type < 2; ++type) {
    const Json text{{"Sequence", {{"id", type == 0 ? "A" : "B"}, {"type_id", type}}}};
    if (special.add_bos && special.bos >= 0) {
      mark(special.bos, type);
    }
    if (type == 0) {
      single.push_back(text);
    }
    pair.push_back(text);
    if (special.add_eos && special.eos >= 0) {
      mark(special.eos, type);
    }
  }
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", names}};
}

// Every way to put a piece together of two others, the best pieces first: what SentencePiece's
// search by scores comes to.
Json merges_of_scores(const GgufVocabulary& vocabulary) {
  std::unordered_map<std::string_view, std::size_t> ids;
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (type_of(vocabulary, id) == kNormalToken) {
      ids.emplace(vocabulary.tokens[id], id);
    }
  }
  struct Split {
    float score;
    std::size_t whole, left, right;
  };
  std::vector<Split> splits;
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const std::string_view token = vocabulary.tokens[id];
    if (type_of(vocabulary, id) != kNormalToken) {
      continue;
    }
    for (std::size_t at = utf8_length(token, 0); at > 0 && at < token.size();) {
      const auto left = ids.find(token.substr(0, at));
      const auto right = ids.find(token.substr(at));
      if (left != ids.end() && right != ids.end()) {
        splits.push_back({vocabulary.scores.empty() ? 0.0f : vocabulary.scores[id], id,
                          left->second, right->second});
      }
      const std::size_t length = utf8_length(token, at);
      at += length == 0 ? token.size() : length;
    }
  }
  std::sort(splits.begin(), splits.end(), [](const Split& a, const Split& b) {
    return std::tuple(-a.score, a.whole, a.left, a.right) <
           std::tuple(-b.score, b.whole, b.left, b.right);
  });
  Json merges = Json::array();
  for (const Split& split : splits) {
    merges.push_back({vocabulary.tokens[split.left], vocabulary.tokens[split.right]});
  }
  return merges;
}

void write_byte_level(const GgufVocabulary& vocabulary, const std::vector<std::string_view>& rules,
                      Json& document) {
  document["normalizer"] = nullptr;
  document["pre_tokenizer"] = splitter_json(rules);
  const bool wraps = vocabulary.special.add_bos || vocabulary.special.add_eos;
  document["post_processor"] = wraps ? template_json(vocabulary) : byte_level(true);
  document["decoder"] = byte_level(true);
  Json merges = Json::array();
  for (const std::string& merge : vocabulary.merges) {
    const std::size_t space = merge.find(' ', 1);
    merges.push_back({merge.substr(0, space), merge.substr(space + 1)});
  }
  document["model"] = {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", pre_tokenizer_is_llama3(vocabulary.pre)},
                       {"vocab", vocab_json(vocabulary)},
                       {"merges", std::move(merges)}};
}

void write_characters(const GgufVocabulary& vocabulary, Json& document) {
  Json normalizers = Json::array();
  Json decoders = Json::array();
  const Json space{{"String", " "}};
  const Json symbol{{"String", kSpaceSymbol}};
  if (vocabulary.add_space_prefix) {
    normalizers.push_back({{"type", "Prepend"}, {"prepend", kSpaceSymbol}});
  }
  normalizers.push_back({{"type", "Replace"}, {"pattern", space}, {"content", kSpaceSymbol}});
  decoders.push_back({{"type", "Replace"}, {"pattern", symbol}, {"content", " "}});
  decoders.push_back({{"type", "ByteFallback"}});
  decoders.push_back({{"type", "Fuse"}});
  if (vocabulary.add_space_prefix) {
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  document["normalizer"] = {{"type", "Sequence"}, {"normalizers", normalizers}};
  document["pre_tokenizer"] = nullptr;
  document["post_processor"] = template_json(vocabulary);
  document["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
  const std::int32_t unknown = vocabulary.special.unknown;
  document["model"] = {
      {"type", "BPE"},
      {"dropout", nullptr},
      {"unk_token",
       unknown < 0 ? Json() : Json(vocabulary.tokens[static_cast<std::size_t>(unknown)])},
      {"continuing_subword_prefix", nullptr},
      {"end_of_word_suffix", nullptr},
      {"fuse_unk", true},
      {"byte_fallback", true},
      {"ignore_merges", false},
      {"vocab", vocab_json(vocabulary)},
      {"merges", merges_of_scores(vocabulary)}};
}

}  // namespace

Result<std::string> tokenizer_json(const GgufVocabulary& vocabulary) {
  for (const std::string& token : vocabulary.tokens) {
    if (!is_utf8(token)) {
      return Error{ErrorKind::kData, vocabulary.origin + ": a token is not UTF-8",
                   "the weights can be written without the tokenizer"};
    }
  }
  Json document{{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  document["added_tokens"] = marks_json(vocabulary);
  if (vocabulary.model == "gpt2") {
    const auto rules = pre_tokenizer_rules(vocabulary.pre.empty() ? "gpt-2" : vocabulary.pre);
    if (!rules) {
      return rules.error();
    }
    write_byte_level(vocabulary, *rules, document);
  } else {
    write_characters(vocabulary, document);
  }
  return json_text(document, 1) + "\n";
}

std::string tokenizer_config_json(const GgufVocabulary& vocabulary,
                                  const std::string& chat_template, std::int64_t context) {
  Json config{{"tokenizer_class", "PreTrainedTokenizerFast"},
              {"clean_up_tokenization_spaces", false}};
  const SpecialTokens& special = vocabulary.special;
  for (const auto& [key, id] :
       {std::pair{"bos_token", special.bos}, std::pair{"eos_token", special.eos},
        std::pair{"unk_token", special.unknown}, std::pair{"pad_token", special.pad}}) {
    if (id >= 0) {
      config[key] = vocabulary.tokens[static_cast<std::size_t>(id)];
    }
  }
  if (context > 0) {
    config["model_max_length"] = context;
  }
  if (!chat_template.empty()) {
    config["chat_template"] = chat_template;
  }
  return json_text(config, 2) + "\n";
}

}  // namespace lathe
