// Tokenizers as models bring them: small ones made here, whose ids can be worked out by hand.
#include "engine/tokenizer/text_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "engine/tokenizer/byte_alphabet.h"
#include "engine/tokenizer/gguf_vocabulary.h"
#include "engine/tokenizer/tokenizer_json.h"
#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

constexpr const char* kSpace = "\xE2\x96\x81";

// The 256 bytes as ids 0 to 255, then what merges make.
Json byte_level_document() {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[byte_symbol(static_cast<unsigned char>(byte))] = byte;
  }
  vocabulary["he"] = 256;
  vocabulary["ll"] = 257;
  vocabulary["hell"] = 258;
  vocabulary["hello"] = 259;
  vocabulary["\xC4\xA0hello"] = 260;  // with a space before it
  return {{"model",
           {{"type", "BPE"},
            {"vocab", vocabulary},
            {"merges", {"h e", "l l", "he ll", "hell o", "\xC4\xA0 hello"}}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
          {"added_tokens",
           {{{"id", 261}, {"content", "<|end|>"}, {"special", true}},
            {{"id", 262}, {"content", "<|end|>>"}, {"special", true}},
            {{"id", 263}, {"content", "\t\t"}, {"special", false}}}}};
}

std::unique_ptr<TextTokenizer> tokenizer_of(const Json& document, const std::string& config = "") {
  auto tokenizer = read_tokenizer_json(document.dump(), config, "tokenizer.json");
  EXPECT_TRUE(tokenizer.ok()) << (tokenizer ? "" : tokenizer.error().text());
  return tokenizer ? std::move(*tokenizer) : nullptr;
}

std::string refusal(const Json& document) {
  const auto tokenizer = read_tokenizer_json(document.dump(), "", "tokenizer.json");
  EXPECT_FALSE(tokenizer.ok());
  return tokenizer ? "" : tokenizer.error().text();
}

TEST(ByteLevelBpe, LowestRanksMergeFirst) {
  const auto tokenizer = tokenizer_of(byte_level_document());
  EXPECT_EQ(tokenizer->encode("hello"), (Ids{259}));
  EXPECT_EQ(tokenizer->encode("hello hello"), (Ids{259, 260}));
  EXPECT_EQ(tokenizer->encode("lllh"), (Ids{257, 'l', 'h'}));  // the leftmost of equals
  EXPECT_EQ(tokenizer->encode(""), Ids{});
  EXPECT_EQ(tokenizer->vocab_size(), 264);
}

TEST(ByteLevelBpe, AnyBytesComeBack) {
  const auto tokenizer = tokenizer_of(byte_level_document());
  std::string every;
  for (int byte = 0; byte < 256; ++byte) {
    every += static_cast<char>(byte);
  }
  for (const std::string& text : {every, std::string("na\xC3\xAFve \xF0\x9F\x99\x82\n\t x"),
                                  std::string("\xC3"), std::string("a\xFFhello\xE2\x82")}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST(ByteLevelBpe, MarksAreIdsOnlyWhereTheyAreWanted) {
  const auto tokenizer = tokenizer_of(byte_level_document());
  EXPECT_EQ(tokenizer->encode("hello<|end|>hello", true), (Ids{259, 261, 259}));
  EXPECT_EQ(tokenizer->encode("<|end|>>", true), (Ids{262}));  // the longest
  EXPECT_EQ(tokenizer->encode("<|end|>").size(), 7U);
  EXPECT_EQ(tokenizer->encode("\t\thello"), (Ids{263, 259}));  // no mark: text, always
  EXPECT_EQ(tokenizer->decode(Ids{259, 261}), "hello");
  EXPECT_EQ(tokenizer->decode(Ids{259, 261}, true), "hello<|end|>");
  EXPECT_EQ(tokenizer->find("<|end|>"), 261);
  EXPECT_EQ(tokenizer->find("nothing"), -1);
}

TEST(ByteLevelBpe, TheConfigNamesTheMarks) {
  const auto tokenizer =
      tokenizer_of(byte_level_document(),
                   R"({"bos_token": "<|end|>", "eos_token": {"content": "<|end|>>"},
                       "add_bos_token": true})");
  EXPECT_EQ(tokenizer->special().eos, 262);
  EXPECT_EQ(tokenizer->encode("hello"), (Ids{261, 259}));
}

TEST(ByteLevelBpe, GeneratedTextComesInWholeCharacters) {
  const auto tokenizer = tokenizer_of(byte_level_document());
  TextStream stream(*tokenizer);
  std::vector<std::string> pieces;
  for (const std::int32_t id : tokenizer->encode("\xE2\x82\xAC!")) {
    pieces.push_back(stream.push(id));
  }
  EXPECT_THAT(pieces, ElementsAre("", "", "\xE2\x82\xAC", "!"));
  EXPECT_EQ(stream.push(0xE2), "");
  EXPECT_EQ(stream.finish(), "\xEF\xBF\xBD");
  EXPECT_EQ(stream.finish(), "");
}

// LLaMA 2: "▁" for spaces, one before the text, bytes as the last resort.
Json llama2_document() {
  Json vocabulary = Json::object();
  vocabulary["<unk>"] = 0;
  vocabulary["<s>"] = 1;
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    vocabulary[name] = byte + 3;
  }
  int id = 259;
  for (const std::string& token :
       std::vector<std::string>{kSpace, "a", "b", "ab", std::string(kSpace) + "ab"}) {
    vocabulary[token] = id++;
  }
  return {{"model",
           {{"type", "BPE"},
            {"unk_token", "<unk>"},
            {"byte_fallback", true},
            {"fuse_unk", true},
            {"vocab", vocabulary},
            {"merges", {"a b", std::string(kSpace) + " ab"}}}},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", kSpace}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}}}}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}}}},
          {"added_tokens", {{{"id", 1}, {"content", "<s>"}, {"special", true}}}}};
}

TEST(CharacterBpe, SpacesAreSymbolsAndUnknownCharactersAreBytes) {
  const auto tokenizer = tokenizer_of(llama2_document());
  EXPECT_EQ(tokenizer->encode("ab ab"), (Ids{1, 263, 263}));
  EXPECT_EQ(tokenizer->encode("b\n"), (Ids{1, 259, 261, 13}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("ab \xE2\x82\xAC b")), "ab \xE2\x82\xAC b");
}

TEST(TokenizerJson, RefusesByNameWhatItDoesNotKnow) {
  Json document = byte_level_document();
  document["model"]["type"] = "Unigram";
  EXPECT_THAT(refusal(document), HasSubstr("Unigram"));
  document = byte_level_document();
  document["normalizer"] = {{"type", "NFKC"}};
  EXPECT_THAT(refusal(document), HasSubstr("NFKC"));
  document = byte_level_document();
  document["pre_tokenizer"] = {{"type", "Whitespace"}};
  EXPECT_THAT(refusal(document), HasSubstr("Whitespace"));
  document = byte_level_document();
  document["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Isolated"}};
  EXPECT_THAT(refusal(document), HasSubstr("("));
}

TEST(TokenizerJson, DamagedFilesAreErrors) {
  Json document = byte_level_document();
  document["model"]["merges"].push_back("x yz");
  EXPECT_THAT(refusal(document), HasSubstr("yz"));
  document = byte_level_document();
  document["model"]["vocab"]["zz"] = 5;
  EXPECT_THAT(refusal(document), HasSubstr("id 5"));
  document = byte_level_document();
  document["model"]["vocab"]["zz"] = 2000000000;
  EXPECT_THAT(refusal(document), HasSubstr("2000000000"));
  document = byte_level_document();
  document["model"]["vocab"].erase("A");
  EXPECT_THAT(refusal(document), HasSubstr("<0x41>"));
  document = byte_level_document();
  document.erase("model");
  EXPECT_THAT(refusal(document), HasSubstr("model"));
  EXPECT_FALSE(read_tokenizer_json("{", "", "x").ok());
  EXPECT_FALSE(read_tokenizer_json("[]", "", "x").ok());
  EXPECT_FALSE(read_tokenizer_json("{}", "]", "x").ok());
}

// Any byte of a valid file changed: a tokenizer or an error, never a crash.
TEST(TokenizerJson, SurvivesChangedBytes) {
  const std::string text = llama2_document().dump();
  for (std::size_t at = 0; at < text.size(); at += 7) {
    for (const char byte : {'"', '}', '9', '\0', '\xFF'}) {
      std::string changed = text;
      changed[at] = byte;
      const auto tokenizer = read_tokenizer_json(changed, "", "tokenizer.json");
      if (tokenizer) {
        (*tokenizer)->encode("ab \xE2\x82\xAC");
      }
    }
  }
}

// A "llama" vocabulary as GGUF files carry it: scores decide what merges.
GgufVocabulary llama_vocabulary() {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.origin = "x.gguf";
  const auto add = [&](std::string token, float score, std::int32_t type) {
    vocabulary.tokens.push_back(std::move(token));
    vocabulary.scores.push_back(score);
    vocabulary.types.push_back(type);
  };
  add("<unk>", 0, 2);
  add("<s>", 0, 3);
  add("</s>", 0, 3);
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    add(name, 0, 6);
  }
  add(std::string(kSpace) + "ab", -1, 1);
  add("ab", -2, 1);
  add(kSpace, -3, 1);
  add("a", -4, 1);
  add("b", -5, 1);
  vocabulary.special = {.bos = 1, .eos = 2, .add_bos = true};
  return vocabulary;
}

TEST(GgufVocabularies, LlamaGoesThroughSentencePiece) {
  const auto tokenizer = make_tokenizer(llama_vocabulary());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ((*tokenizer)->encode("ab ab"), (Ids{1, 259, 259}));
  EXPECT_EQ((*tokenizer)->encode("b\n<s>", true), (Ids{1, 261, 263, 13, 1}));
  EXPECT_EQ((*tokenizer)->decode(Ids{1, 259, 259}), "ab ab");
  EXPECT_EQ((*tokenizer)->vocab_size(), 264);
}

// Phi 3's files call the unknown token a control token, and padding unknown.
TEST(GgufVocabularies, TheKeySaysWhichTokenIsTheUnknownOne) {
  GgufVocabulary vocabulary = llama_vocabulary();
  vocabulary.types[0] = 3;
  for (const char* padding : {"[PAD264]", "[PAD265]"}) {
    vocabulary.tokens.emplace_back(padding);
    vocabulary.scores.push_back(-1000);
    vocabulary.types.push_back(2);
  }
  vocabulary.special.unknown = 0;
  const auto tokenizer = make_tokenizer(vocabulary);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ((*tokenizer)->special().unknown, 0);
  EXPECT_EQ((*tokenizer)->encode("ab<unk>", true), (Ids{1, 259, 0}));
  EXPECT_EQ((*tokenizer)->decode((*tokenizer)->encode("ab[PAD264]")), "ab[PAD264]");
}

GgufVocabulary byte_vocabulary(const std::string& pre) {
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  vocabulary.origin = "x.gguf";
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary.tokens.push_back(byte_symbol(static_cast<unsigned char>(byte)));
    vocabulary.types.push_back(1);
  }
  return vocabulary;
}

TEST(GgufVocabularies, LlamaThreeKeepsWholeWordsByAllItsNames) {
  for (const auto& [pre, expected] :
       {std::pair("llama-bpe", Ids{256}), std::pair("llama3", Ids{256}),
        std::pair("llama-v3", Ids{256}), std::pair("gpt-2", Ids{'a', 'b'})}) {
    GgufVocabulary vocabulary = byte_vocabulary(pre);
    vocabulary.tokens.emplace_back("ab");  // which no merge makes
    vocabulary.types.push_back(1);
    EXPECT_EQ((*make_tokenizer(vocabulary))->encode("ab"), expected) << pre;
  }
}

TEST(GgufVocabularies, Gpt2IsByteLevel) {
  GgufVocabulary vocabulary = byte_vocabulary("smollm");
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"42", "<|im_end|>"});
  vocabulary.types.insert(vocabulary.types.end(), {1, 3});
  vocabulary.merges = {"4 2"};
  const auto tokenizer = make_tokenizer(vocabulary);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ((*tokenizer)->encode("42<|im_end|>", true),
            (Ids{'4', '2', 257}));  // digits stand alone
  vocabulary.pre = "nonsense";
  EXPECT_THAT(make_tokenizer(vocabulary).error().text(), HasSubstr("nonsense"));
  vocabulary.pre = "gpt-2";
  EXPECT_EQ((*make_tokenizer(vocabulary))->encode("42"), (Ids{256}));
}

TEST(GgufVocabularies, KeysThatDoNotFitAreErrors) {
  GgufVocabulary vocabulary = llama_vocabulary();
  vocabulary.types.pop_back();
  EXPECT_THAT(make_tokenizer(vocabulary).error().text(), HasSubstr("263 token types"));
  vocabulary = llama_vocabulary();
  vocabulary.special.eos = 999;
  EXPECT_THAT(make_tokenizer(vocabulary).error().text(), HasSubstr("999"));
  vocabulary = llama_vocabulary();
  vocabulary.model = "bert";
  EXPECT_THAT(make_tokenizer(vocabulary).error().text(), HasSubstr("bert"));
  vocabulary = llama_vocabulary();
  vocabulary.tokens[5] = vocabulary.tokens[6];  // twice
  EXPECT_FALSE(make_tokenizer(vocabulary).ok());
}

TEST(Utf8, WellFormedCharactersAndUnfinishedOnes) {
  EXPECT_EQ(utf8_length("a", 0), 1U);
  EXPECT_EQ(utf8_length("\xE2\x82\xAC", 0), 3U);
  EXPECT_EQ(utf8_length("\xC0\xAF", 0), 0U);          // overlong
  EXPECT_EQ(utf8_length("\xED\xA0\x80", 0), 0U);      // surrogate
  EXPECT_EQ(utf8_length("\xF4\x90\x80\x80", 0), 0U);  // beyond U+10FFFF
  EXPECT_EQ(utf8_length("\xE2\x82", 0), 0U);
  EXPECT_EQ(unfinished_utf8("a\xE2\x82"), 2U);
  EXPECT_EQ(unfinished_utf8("a\xF0"), 1U);
  EXPECT_EQ(unfinished_utf8("\xE2\x82\xAC"), 0U);
  EXPECT_EQ(unfinished_utf8("\x82"), 0U);
}

}  // namespace
}  // namespace lathe
