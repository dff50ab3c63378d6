// Splitting, training, encoding, decoding and the tokenizer file.
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engine/base/rng.h"
#include "engine/tokenizer/bpe_trainer.h"

namespace lathe {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> words_of(std::string_view text) {
  WordSplitter splitter;
  splitter.start(text);
  std::vector<std::string> words;
  for (std::string_view word = splitter.next(); !word.empty(); word = splitter.next()) {
    words.emplace_back(word);
  }
  return words;
}

std::vector<Merge> train(std::string_view text, std::int64_t count) {
  WordCounts words;
  words.add_text(text);
  return train_bpe(words, count, {});
}

std::vector<std::int32_t> encode(const Tokenizer& tokenizer, std::string_view text) {
  Encoder encoder(tokenizer);
  std::vector<std::int32_t> ids;
  encoder.encode(text, ids);
  return ids;
}

std::string random_bytes(std::size_t count, std::uint64_t stream) {
  Rng rng(7, stream);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += static_cast<char>(rng.next_below(256));
  }
  return text;
}

// Texts that tokenizers are known to lose parts of.
std::vector<std::string> hard_texts() {
  return {"",
          " ",
          "\t\n\r\n  \v\f ",
          "  indented\n\twith tab\n\n\n    return x  \n",
          "na\xC3\xAFve \xE2\x96\x81 \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x98\x80\xE2\x80\x8D",
          std::string("nul\0inside", 10),
          "\xFF\xFE broken \xC3",
          "\xED\xA0\x80 surrogate \xC0\x80 overlong",
          std::string(5000, 'a'),
          std::string(5000, ' ') + "x",
          std::string(3000, '\n'),
          random_bytes(4096, 1),
          "<|end|> in the text"};
}

TEST(WordSplitter, FollowsTheGpt2Rule) {
  EXPECT_THAT(
      words_of("Hello world's 42 things!!\n    x = 1"),
      ElementsAre("Hello", " world", "'s", " 42", " things", "!!", "\n   ", " x", " =", " 1"));
}

TEST(WordSplitter, KnowsLettersBeyondAscii) {
  EXPECT_THAT(words_of("\xC3\xA9t\xC3\xA9, \xE4\xBD\xA0\xE5\xA5\xBD"),
              ElementsAre("\xC3\xA9t\xC3\xA9", ",", " \xE4\xBD\xA0\xE5\xA5\xBD"));
}

TEST(WordSplitter, LosesNothing) {
  for (const std::string& text : hard_texts()) {
    std::string joined;
    for (const std::string& word : words_of(text)) {
      EXPECT_LE(word.size(), kLongestWordBytes);
      joined += word;
    }
    EXPECT_EQ(joined, text);
  }
}

TEST(Utf8, AcceptsTextAndRefusesWhatIsNone) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("plain \xC3\xA9 \xF0\x9F\x98\x80"));
  EXPECT_FALSE(is_utf8("cut \xC3"));
  EXPECT_FALSE(is_utf8("\xFFstart"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_utf8("\xC0\x80"));
  EXPECT_FALSE(is_utf8("\xE0\x80\xAF"));
  EXPECT_FALSE(is_utf8("\xF4\x90\x80\x80"));
}

// Worked by hand. Words: "ab" x1, " ab" x2, " abc" x1. Pairs: ab 4, space-a 3, bc 1. First ab; then
// space-ab 3; nothing else occurs twice.
TEST(BpeTrainer, FindsTheMergesOfASmallExample) {
  EXPECT_THAT(train("ab ab ab abc", 10), ElementsAre(Merge{'a', 'b'}, Merge{' ', 257}));
}

TEST(BpeTrainer, BreaksTiesByTheLowerPair) {
  // space-x, xw and zy occur twice: first the lowest left id, the space. Then space-xw and zy are
  // left.
  EXPECT_THAT(train("zy zy xw xw", 2), ElementsAre(Merge{' ', 'x'}, Merge{'z', 'y'}));
}

// "aaaa" x2 holds the pair aa three times each, but only two of them can merge.
TEST(BpeTrainer, CountsOverlappingRepeatsOnce) {
  EXPECT_THAT(train("aaaa\naaaa", 10), ElementsAre(Merge{'a', 'a'}, Merge{257, 257}));
}

TEST(BpeTrainer, AgreesWithCountingAnewAfterEachMerge) {
  const std::string text =
      "low low low low low lower lower newest newest newest newest newest newest widest widest "
      "widest banana bananas bandana aaaa aaaaa abab ababab";
  std::vector<std::pair<std::vector<std::int32_t>, int>> words;
  WordCounts counts;
  counts.add_text(text);
  for (const auto& [word, count] : counts.sorted()) {
    words.push_back({{word.begin(), word.end()}, static_cast<int>(count)});
  }
  const std::vector<Merge> merges = train(text, 40);
  ASSERT_GT(merges.size(), 20U);
  for (std::size_t m = 0; m < merges.size(); ++m) {
    std::map<std::pair<int, int>, int> pairs;
    for (const auto& [ids, count] : words) {
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        pairs[{ids[i], ids[i + 1]}] += count;
      }
    }
    int most = 0;
    std::pair<int, int> best;
    for (const auto& [pair, count] : pairs) {  // ascending, so the first of equals wins
      if (count > most) {
        most = count;
        best = pair;
      }
    }
    ASSERT_EQ(merges[m], (Merge{best.first, best.second})) << "merge " << m;
    for (auto& [ids, count] : words) {
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        if (ids[i] == best.first && ids[i + 1] == best.second) {
          ids[i] = kFirstMergeId + static_cast<int>(m);
          ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
      }
    }
  }
}

TEST(BpeTrainer, PartsCountedApartGiveTheSame) {
  WordCounts first;
  WordCounts second;
  first.add_text("the cat sat");
  second.add_text(" on the mat, the cat");
  second.add_counts(first);
  WordCounts whole;
  whole.add_text("the cat sat");
  whole.add_text(" on the mat, the cat");
  EXPECT_EQ(train_bpe(second, 20, {}), train_bpe(whole, 20, {}));
}

TEST(Tokenizer, EncodesTheSmallExampleByHand) {
  const Result<Tokenizer> tokenizer = Tokenizer::bpe({{'a', 'b'}, {' ', 257}}, 300);
  ASSERT_TRUE(tokenizer) << tokenizer.error().text();
  EXPECT_THAT(encode(*tokenizer, "ab abc"), ElementsAre(257, 258, 'c'));
  EXPECT_EQ(tokenizer->vocab_size(), 300);
}

TEST(Tokenizer, RoundTripLosesNothing) {
  const Result<Tokenizer> bpe =
      Tokenizer::bpe(train("def f(x):\n    return x\n\ndef g(x):\n    return f(x)\n", 50), 400);
  ASSERT_TRUE(bpe);
  const Tokenizer bytes = Tokenizer::bytes();
  for (const std::string& text : hard_texts()) {
    EXPECT_EQ(bpe->decode(encode(*bpe, text)), text);
    EXPECT_EQ(bytes.decode(encode(bytes, text)), text);
  }
  EXPECT_EQ(encode(bytes, "\xFF").front(), 255);
}

TEST(Tokenizer, EndMarkAndUnusedIdsDecode) {
  const Result<Tokenizer> tokenizer = Tokenizer::bpe({}, 300);
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->decode(std::vector<std::int32_t>{'a', kEndMark, 299, -1, 1 << 30, 'b'}),
            "a<|end|>b");
}

TEST(Tokenizer, FileRoundTrip) {
  const Result<Tokenizer> tokenizer = Tokenizer::bpe({{'a', 'b'}, {257, 257}}, 512);
  ASSERT_TRUE(tokenizer);
  const Result<Tokenizer> again = Tokenizer::parse(tokenizer->serialise(), "file");
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(again->vocab_size(), 512);
  EXPECT_EQ(again->serialise(), tokenizer->serialise());
  EXPECT_EQ(again->token_bytes(258), "abab");
}

TEST(Tokenizer, RefusesDamagedFiles) {
  const std::string head = R"({"format":"lathe-tokenizer","version":1,"vocab_size":300,"merges":)";
  for (const std::string text :
       {"", "{", "[]", R"({"format":"other"})",
        R"({"format":"lathe-tokenizer","version":2,"vocab_size":300,"merges":[]})"}) {
    EXPECT_FALSE(Tokenizer::parse(text, "file")) << text;
  }
  for (const std::string merges :
       {"5", "[[1]]", "[[1,2,3]]", "[[1,-2]]", "[[1,\"a\"]]", "[[1,257]]", "[[256,1]]",
        "[[1,99999999999]]", "[[1.5,2]]", "[null]"}) {
    const Result<Tokenizer> read = Tokenizer::parse(head + merges + "}", "file");
    ASSERT_FALSE(read) << merges;
    EXPECT_EQ(read.error().kind, ErrorKind::kData);
  }
  EXPECT_TRUE(Tokenizer::parse(head + "[[1,2]]}", "file"));
  EXPECT_FALSE(Tokenizer::bpe({{1, 2}}, 257)) << "no room for the merge";
}

TEST(Tokenizer, RefusesMergesThatDoubleWithoutEnd) {
  std::vector<Merge> merges{{'a', 'a'}};
  for (std::int32_t id = kFirstMergeId; id < kFirstMergeId + 60; ++id) {
    merges.push_back({id, id});
  }
  const Result<Tokenizer> tokenizer = Tokenizer::bpe(merges, 1000);
  ASSERT_FALSE(tokenizer);
  EXPECT_THAT(tokenizer.error().message, HasSubstr("bytes long"));
}

}  // namespace
}  // namespace lathe
