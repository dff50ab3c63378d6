// Files that were made to hurt: small, and yet deep, slow or large for a reader that trusts them.
// Each is refused, or costs little. The fuzzers (tests/fuzz) look for more of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/data/row_file.h"
#include "engine/io/safetensors.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/token_type.h"
#include "engine/tokenizer/tokenizer_json.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

std::string object_of(std::size_t keys) {
  std::string text = "{";
  for (std::size_t i = 0; i < keys; ++i) {
    text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  }
  return text + "}";
}

class HostileFile : public testing::Test {
 protected:
  fs::path write(const std::string& ending, const std::string& bytes) {
    path_ = fs::temp_directory_path() / ("lathe_hostile_" + std::to_string(getpid()) + ending);
    std::ofstream(path_, std::ios::binary) << bytes;
    return path_;
  }
  void TearDown() override { fs::remove(path_); }
  fs::path path_;
};

TEST(HostileJson, DepthIsBounded) {
  EXPECT_TRUE(parse_json(nested(kDeepestJson), "x").ok());
  EXPECT_THAT(parse_json(nested(kDeepestJson + 1), "x").error().text(), HasSubstr("deeper"));
  // Printing it for a message would have been the end.
  const auto config = parse_json("{\"architectures\":" + nested(1'000'000) + "}", "config.json");
  ASSERT_FALSE(config.ok());
  EXPECT_THAT(config.error().text(), HasSubstr("config.json"));
}

TEST(HostileJson, StringsAndCommentsHideNoBrackets) {
  const std::string deep = nested(kDeepestJson + 1);
  for (const std::string before : {R"(["\"",)", "[/*\"*/", "[//\"\n", R"(["\\",)", "[ /* // */ "}) {
    EXPECT_THAT(parse_json(before + deep + "]", "x").error().text(), HasSubstr("deeper")) << before;
  }
  EXPECT_TRUE(parse_json("[\"" + deep + "\", /*" + deep + "*/ 1]//" + deep, "x").ok());
}

TEST(HostileJson, AnObjectsKeysAreBounded) {
  EXPECT_TRUE(parse_json(object_of(1000), "x").ok());
  EXPECT_THAT(parse_json(object_of(400'000), "x").error().text(), HasSubstr("20000 keys"));
}

TEST_F(HostileFile, RowsAreBoundedToo) {
  for (const char* ending : {".jsonl", ".json"}) {
    const auto rows = read_rows(write(ending, "{\"text\":" + nested(1'000'000) + "}").string());
    ASSERT_FALSE(rows.ok());
    EXPECT_EQ(rows.error().kind, ErrorKind::kData);
    EXPECT_THAT(rows.error().text(), HasSubstr("deeper"));
  }
}

TEST_F(HostileFile, ATensorsHeaderIsBoundedToo) {
  for (const std::string& header :
       {"{\"a\":{\"dtype\":\"F32\",\"shape\":[" + nested(1'000'000) + "],\"data_offsets\":[0,4]}}",
        object_of(400'000)}) {
    const std::uint64_t length = header.size();
    std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
    const auto file = SafetensorsFile::open(write(".safetensors", bytes + header));
    ASSERT_FALSE(file.ok());
    EXPECT_EQ(file.error().kind, ErrorKind::kData);
  }
}

Json letters() {
  return {{"model",
           {{"type", "BPE"},
            {"unk_token", "?"},
            {"vocab", {{"?", 0}, {"a", 1}}},
            {"merges", Json::array()}}},
          {"normalizer",
           {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\xE2\x96\x81"}}}};
}

TEST(HostileTokenizer, DepthIsBounded) {
  std::string text = letters().dump();
  text.insert(1, "\"x\":" + nested(1'000'000) + ",");
  EXPECT_THAT(read_tokenizer_json(text, "", "t").error().text(), HasSubstr("deeper"));
  EXPECT_TRUE(read_tokenizer_json(letters().dump(), "", "t").ok());
}

TEST(HostileTokenizer, OneLargeIdTakesNoMemoryOfMillions) {
  Json document = letters();
  document["model"]["vocab"]["b"] = 1 << 20;
  EXPECT_THAT(read_tokenizer_json(document.dump(), "", "t").error().text(), HasSubstr("1048576"));
}

// Each search costs all the steps that it may take: there are 131072, minutes of them.
TEST(HostileTokenizer, ARuleThatBacktracksWithoutEndIsLeftOut) {
  Json document = letters();
  Json rules = Json::array();
  for (const char* rule : {".{32}", "(?:a|aa)+(?<=b)"}) {
    rules.push_back({{"type", "Split"}, {"pattern", {{"Regex", rule}}}, {"behavior", "Isolated"}});
  }
  document["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", rules}};
  const auto tokenizer = read_tokenizer_json(document.dump(), "", "t");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ((*tokenizer)->encode(std::string(1U << 22U, 'a')).size(), 1U << 22U);
}

std::string tagged(unsigned field, std::string_view bytes) {
  std::string out(1, static_cast<char>((field << 3U) | 2U));
  for (std::size_t size = bytes.size();; size >>= 7U) {
    if (size < 0x80) {
      out += static_cast<char>(size);
      break;
    }
    out += static_cast<char>(0x80U | (size & 0x7FU));
  }
  return out.append(bytes);
}

// A table of one block whose root jumps to unit `to`, with the text "x" that unit 1 stands for.
std::string table(std::uint32_t to, std::uint32_t value) {
  std::vector<std::uint32_t> units(512, 1U << 31U);
  units[0] = to << 10U;
  units[256 ^ 'a'] = ((256U ^ 'a' ^ 300U) << 10U) | (1U << 8U) | 'a';
  units[300] = (1U << 31U) | value;
  std::string blob(4, '\0');
  const std::uint32_t bytes = 2048;
  std::memcpy(blob.data(), &bytes, 4);
  blob.append(reinterpret_cast<const char*>(units.data()), 2048);
  return blob.append("x", 2);
}

std::string pieces_with(const std::string& charsmap) {
  GgufVocabulary vocabulary;
  vocabulary.tokens = {"<unk>", "<s>", "</s>", "a", "x"};
  vocabulary.types = {kUnknownToken, kControlToken, kControlToken, kNormalToken, kNormalToken};
  vocabulary.scores = {0, 0, 0, -1, -2};
  vocabulary.special = {.bos = 1, .eos = 2, .unknown = 0};
  vocabulary.add_space_prefix = false;
  std::string model = sentencepiece_model(vocabulary);
  const std::size_t byte_fallback = model.rfind("\x98\x02\x01");
  model[byte_fallback + 2] = '\0';
  return model + tagged(3, tagged(2, charsmap));
}

TEST(HostileSentencePiece, ANormalisersTableStaysWithinItself) {
  const auto sound = read_sentencepiece(pieces_with(table(256, 0)), "t.model");
  ASSERT_TRUE(sound.ok()) << sound.error().text();
  EXPECT_EQ((*sound)->encode("a"), (*sound)->encode("x"));
  for (const std::string& blob : {table((1U << 21U) - 1, 0), table(256, 0x7FFFFFFF), table(256, 2),
                                  table(256, 0).substr(0, 9), std::string("\xff\xff\xff\x7f\0", 5),
                                  std::string("\1\0\0\0\0\0", 6)}) {
    const auto tokenizer = read_sentencepiece(pieces_with(blob), "t.model");
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_EQ(tokenizer.error().kind, ErrorKind::kData);
    EXPECT_THAT(tokenizer.error().text(), HasSubstr("table"));
  }
}

// The library's model of kind unigram throws at it.
TEST(HostileSentencePiece, APieceThatIsAZeroByteIsAnError) {
  GgufVocabulary vocabulary;
  vocabulary.tokens = {"<unk>", std::string(1, '\0'), "a"};
  vocabulary.types = {kUnknownToken, kNormalToken, kNormalToken};
  vocabulary.scores = {0, 0, 0};
  vocabulary.special.unknown = 0;
  std::string model = sentencepiece_model(vocabulary);
  const std::size_t byte_fallback = model.rfind("\x98\x02\x01");
  model[byte_fallback + 2] = '\0';
  const auto tokenizer = read_sentencepiece(model + tagged(2, "\x18\x01"), "t.model");
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_THAT(tokenizer.error().text(), HasSubstr("t.model"));
}

// The library fails on a text that has one.
TEST(HostileSentencePiece, AControlPieceOfOneCharacterIsNoTrap) {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "b", "a"};
  vocabulary.types = {kUnknownToken, kNormalToken, kControlToken};
  vocabulary.scores = {0, 0, 0};
  vocabulary.special.unknown = 0;
  vocabulary.add_space_prefix = false;
  std::string model = sentencepiece_model(vocabulary);
  const std::size_t byte_fallback = model.rfind("\x98\x02\x01");
  model[byte_fallback + 2] = '\0';
  const auto tokenizer = read_sentencepiece(model, "t.model");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ((*tokenizer)->encode("bab"), std::vector<std::int32_t>{0});
  EXPECT_EQ((*tokenizer)->encode("bb"), (std::vector<std::int32_t>{1, 1}));
}

TEST(HostileSentencePiece, ACutModelIsRefused) {
  const std::string whole = pieces_with(table(256, 0));
  for (std::size_t length = 0; length < whole.size(); length += 13) {
    if (const auto tokenizer = read_sentencepiece(whole.substr(0, length), "t.model")) {
      (*tokenizer)->encode("<s>a b \xff", true);
    }
  }
}

}  // namespace
}  // namespace lathe
