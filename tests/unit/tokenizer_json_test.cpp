// What tokenizer.json's parts mean in their corners, as the tokenizers library 0.23.3 was seen to
// apply them: spaces before a text and beside marks, and what becomes of unknown characters.
#include "engine/tokenizer/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"
#include "engine/tokenizer/byte_alphabet.h"
#include "engine/tokenizer/portable_vocabulary.h"

namespace lathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

constexpr const char* kSpace = "\xE2\x96\x81";
constexpr const char* kNoBreakSpace = "\xC2\xA0";

std::unique_ptr<TextTokenizer> tokenizer_of(const Json& document) {
  auto tokenizer = read_tokenizer_json(document.dump(), "", "tokenizer.json");
  EXPECT_TRUE(tokenizer.ok()) << (tokenizer ? "" : tokenizer.error().text());
  return tokenizer ? std::move(*tokenizer) : nullptr;
}

std::string refusal(const Json& document) {
  const auto tokenizer = read_tokenizer_json(document.dump(), "", "tokenizer.json");
  EXPECT_FALSE(tokenizer.ok());
  return tokenizer ? "" : tokenizer.error().text();
}

// The bytes as ids 0 to 255, a mark of the given kind as 256.
Json bytes_document(const Json& splitter, Json mark = Json::object()) {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[byte_symbol(static_cast<unsigned char>(byte))] = byte;
  }
  mark["id"] = 256;
  mark["content"] = "<m>";
  mark["special"] = true;
  return {{"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", Json::array()}}},
          {"pre_tokenizer", splitter},
          {"added_tokens", {mark}}};
}

Json byte_level(bool prefix) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", prefix}};
}

// "<unk>" 0, "▁" 1, "a" 2, "b" 3, "▁a" 4, "<s>" 5, then bytes that the test asks for.
Json characters_document(const Json& extra = Json::object()) {
  Json vocabulary{{"<unk>", 0}, {kSpace, 1}, {"a", 2}, {"b", 3}, {std::string(kSpace) + "a", 4}};
  for (const auto& [token, id] : extra.items()) {
    vocabulary[token] = id;
  }
  return {
      {"model",
       {{"type", "BPE"},
        {"unk_token", "<unk>"},
        {"vocab", vocabulary},
        {"merges", {std::string(kSpace) + " a"}}}},
      {"normalizer", {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}}},
      {"added_tokens", {{{"id", 5}, {"content", "<s>"}, {"special", true}}}}};
}

Json metaspace_document(const char* scheme) {
  Json document = characters_document();
  document.erase("normalizer");
  document["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", kSpace}, {"prepend_scheme", scheme}, {"split", false}};
  return document;
}

// SmolLM2's vocabulary has no token for some control characters: the model names none for what is
// unknown, and the one that tokenizer_config.json names is not its own.
TEST(TokenizerJsonUnknown, BytesWithoutATokenAreLeftOut) {
  Json document = bytes_document(byte_level(false));
  document["model"]["vocab"].erase(byte_symbol(4));
  document["model"]["vocab"].erase(byte_symbol(0xFF));
  const std::string config = Json{{"unk_token", "<m>"}}.dump();
  const auto left_out = read_tokenizer_json(document.dump(), config, "tokenizer.json");
  ASSERT_TRUE(left_out.ok()) << left_out.error().text();
  EXPECT_EQ((*left_out)->encode("a\x04"
                                "b",
                                true),
            (Ids{'a', 'b'}));
  EXPECT_EQ((*left_out)->encode("a\xFF"
                                "b",
                                true),
            (Ids{'a', 0xEF, 0xBF, 0xBD, 'b'}));
  document["model"]["unk_token"] = "<m>";
  const auto named = read_tokenizer_json(document.dump(), config, "tokenizer.json");
  ASSERT_TRUE(named.ok()) << named.error().text();
  EXPECT_EQ((*named)->encode("a\x04"
                             "b",
                             true),
            (Ids{'a', 256, 'b'}));
}

TEST(TokenizerJsonSpaces, ByteLevelPutsOneBeforeTheTextBehindEachMark) {
  const auto tokenizer = tokenizer_of(bytes_document(byte_level(true)));
  EXPECT_EQ(tokenizer->encode("a<m>b<m> c", true), (Ids{' ', 'a', 256, ' ', 'b', 256, ' ', 'c'}));
}

TEST(TokenizerJsonSpaces, ByteLevelBehindOtherRulesIsRefused) {
  const Json digits{{"type", "Digits"}, {"individual_digits", true}};
  EXPECT_THAT(refusal(bytes_document(
                  {{"type", "Sequence"}, {"pretokenizers", {digits, byte_level(true)}}})),
              HasSubstr("add_prefix_space"));
}

TEST(TokenizerJsonSpaces, MetaspacePutsNoneBeforeATextThatHasOne) {
  const auto always = tokenizer_of(metaspace_document("always"));
  EXPECT_EQ(always->encode("a"), (Ids{4}));
  EXPECT_EQ(always->encode(" a"), (Ids{4}));
  EXPECT_EQ(always->encode(std::string(kSpace) + "a"), (Ids{4}));
  EXPECT_EQ(always->encode("  a"), (Ids{1, 4}));
  EXPECT_EQ(always->encode("a<s>a<s> a", true), (Ids{4, 5, 4, 5, 4}));
  const auto first = tokenizer_of(metaspace_document("first"));
  EXPECT_EQ(first->encode(" a<s>a<s> a", true), (Ids{4, 5, 2, 5, 4}));
  EXPECT_EQ(first->encode("<s>a", true), (Ids{5, 2}));
  const auto never = tokenizer_of(metaspace_document("never"));
  EXPECT_EQ(never->encode("a a"), (Ids{2, 4}));
}

TEST(TokenizerJsonSpaces, PrependPutsOneBeforeAnyText) {
  Json document = characters_document();
  document["normalizer"] = {
      {"type", "Sequence"},
      {"normalizers", {{{"type", "Prepend"}, {"prepend", kSpace}}, document["normalizer"]}}};
  EXPECT_EQ(tokenizer_of(document)->encode(" a<s>a", true), (Ids{1, 4, 5, 4}));
}

TEST(TokenizerJsonSpaces, WhatGgufCannotSayIsToldWhenExported) {
  const auto losses = [](const Json& document) {
    return portable_vocabulary(read_tokenizer_parts(document.dump(), "", "x").value())
        .value()
        .losses;
  };
  EXPECT_THAT(losses(metaspace_document("always")),
              ElementsAre(HasSubstr("begins with one"), HasSubstr("unknown token")));
  Json document = characters_document();
  document["model"]["byte_fallback"] = true;
  EXPECT_THAT(losses(document), ElementsAre());
}

TEST(TokenizerJsonMarks, TakeTheSpacesOfUnicodeBesideThem) {
  const std::string spaces = std::string(" \t\n") + kNoBreakSpace + "\xE2\x80\x83\xC2\x85";
  const auto left = tokenizer_of(bytes_document(byte_level(false), {{"lstrip", true}}));
  EXPECT_EQ(left->encode("a" + spaces + "<m> b", true), (Ids{'a', 256, ' ', 'b'}));
  const auto right = tokenizer_of(bytes_document(byte_level(false), {{"rstrip", true}}));
  EXPECT_EQ(right->encode("a <m>" + spaces + "b", true), (Ids{'a', ' ', 256, 'b'}));
  // Those that are none: U+001C, U+180E and U+200B.
  EXPECT_EQ(right->encode("<m>\x1C", true), (Ids{256, 0x1C}));
  EXPECT_EQ(right->encode("<m>\xE1\xA0\x8E", true), (Ids{256, 0xE1, 0xA0, 0x8E}));
  EXPECT_EQ(right->encode("<m>\xE2\x80\x8B", true), (Ids{256, 0xE2, 0x80, 0x8B}));
}

TEST(TokenizerJsonMarks, SingleWordsAreRefused) {
  EXPECT_THAT(refusal(bytes_document(byte_level(false), {{"single_word", true}})),
              AllOf(HasSubstr("<m>"), HasSubstr("single_word")));
}

TEST(TokenizerJsonUnknown, AnUnknownCharacterIsOneId) {
  const std::string two = "\xE6\xBC\xA2\xE5\xAD\x97";
  Json document = characters_document();
  EXPECT_EQ(tokenizer_of(document)->encode("a" + two + "b"), (Ids{2, 0, 0, 3}));
  document["model"]["fuse_unk"] = true;
  EXPECT_EQ(tokenizer_of(document)->encode("a" + two + "b"), (Ids{2, 0, 3}));
}

TEST(TokenizerJsonUnknown, BytesStandInOnlyIfAllOfThemCanAndMay) {
  const std::string text =
      "a\xC3\x84"
      "b\xC3\x9F";
  Json document = characters_document({{"<0xC3>", 6}, {"<0x84>", 7}});
  EXPECT_EQ(tokenizer_of(document)->encode(text), (Ids{2, 0, 3, 0}));
  document["model"]["byte_fallback"] = true;
  EXPECT_EQ(tokenizer_of(document)->encode(text), (Ids{2, 6, 7, 3, 0}));
}

// DeepSeek Coder's vocabulary lacks the bytes that UTF-8 has not, and has marks of that spelling.
TEST(TokenizerJsonUnknown, BytesOutsideUtf8NeedNoToken) {
  Json document = bytes_document(byte_level(false));
  document["model"]["vocab"].erase(byte_symbol(0xF5));
  document["added_tokens"].push_back({{"id", 245}, {"content", byte_symbol(0xF5)}});
  const auto tokenizer = tokenizer_of(document);
  EXPECT_EQ(tokenizer->encode("x\xF5y"), (Ids{'x', 0xEF, 0xBF, 0xBD, 'y'}));
  EXPECT_EQ(tokenizer->encode("\xC3\xB5"), (Ids{245}));  // the mark's own character
  EXPECT_EQ(tokenizer->decode(Ids{245}), "\xC3\xB5");
}

}  // namespace
}  // namespace lathe
