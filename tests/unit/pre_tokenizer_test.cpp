// The rules that cut text into words, against what the tokenizers library makes of the same texts
// (golden/make_pre_tokenizers.py), and on bytes that are no text, which it cannot be given.
#include "engine/tokenizer/pre_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/json.h"

namespace lathe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Words = std::vector<std::string>;

Words words(std::string_view rule, std::string_view text) {
  const auto rules = pre_tokenizer_rules(rule);
  EXPECT_TRUE(rules.ok()) << rule;
  const auto splitter = PreTokenizer::compile(*rules, "test");
  Matcher matcher;
  std::vector<std::string_view> found;
  splitter->split(matcher, text, found);
  return {found.begin(), found.end()};
}

class GoldenRules : public testing::TestWithParam<const char*> {};

TEST_P(GoldenRules, CutAsTheTokenizersLibraryDoes) {
  const Json golden = read_json_file(LATHE_GOLDEN "/pre_tokenizers.json").value();
  const Json& cases = golden.at(GetParam());
  EXPECT_GE(cases.size(), 40U);
  for (const Json& expected : cases) {
    const auto cut = expected.get<Words>();
    std::string text;
    for (const std::string& word : cut) {
      text += word;
    }
    EXPECT_EQ(words(GetParam(), text), cut) << expected.dump();
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenRules,
                         testing::Values("gpt-2", "smollm", "starcoder", "llama-bpe",
                                         "deepseek-coder"),
                         [](const auto& name) {
                           std::string word = name.param;
                           std::erase(word, '-');
                           return word;
                         });

TEST(PreTokenizers, BytesThatAreNoTextStandAlone) {
  for (const char* rule : {"gpt-2", "smollm", "llama-bpe", "deepseek-coder"}) {
    EXPECT_THAT(words(rule,
                      "ab\xFF\xFE"
                      "cd"),
                ElementsAre("ab", "\xFF", "\xFE", "cd"));
    EXPECT_THAT(words(rule, "\xE2\x82"), ElementsAre("\xE2", "\x82"));              // cut off
    EXPECT_THAT(words(rule, "\xC0\xAFx"), ElementsAre("\xC0", "\xAF", "x"));        // overlong
    EXPECT_THAT(words(rule, "\xED\xA0\x80"), ElementsAre("\xED", "\xA0", "\x80"));  // surrogate
  }
}

TEST(PreTokenizers, UnknownNamesAreNamed) {
  EXPECT_FALSE(pre_tokenizer_rules("bloom").ok());
  EXPECT_THAT(pre_tokenizer_rules("bloom").error().text(), HasSubstr("bloom"));
}

}  // namespace
}  // namespace lathe
