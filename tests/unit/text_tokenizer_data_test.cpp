// Published tokenizers against published ids (LATHE_DATA names their folder): GPT-2's and LLaMA 2's
// on 200 texts each, SentencePiece's small model on as many, and four vocabularies in GGUF files
// that have nothing else, on 46 texts each that were chosen to be hard.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "engine/base/json.h"
#include "engine/lm/model_vocabulary.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/tokenizer_json.h"

namespace lathe {
namespace {

using Ids = std::vector<std::int32_t>;

class TextTokenizerData : public testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("LATHE_DATA") == nullptr) {
      GTEST_SKIP() << "LATHE_DATA does not name the folder of the data sets";
    }
  }
};

std::string data_path(const std::string& name) {
  return std::string(std::getenv("LATHE_DATA")) + "/" + name;
}

std::string data_file(const std::string& name) {
  std::ifstream in(data_path(name), std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// Lines of {"text", "ids"}.
void expect_oracle(const TextTokenizer& tokenizer, const std::string& oracle) {
  const auto encoder = tokenizer.encoder();
  std::istringstream lines(data_file(oracle));
  int checked = 0;
  for (std::string line; std::getline(lines, line); ++checked) {
    const Json sample = Json::parse(line);
    const auto text = sample["text"].get<std::string>();
    Ids ids;
    encoder->encode(text, false, ids);
    EXPECT_EQ(ids, sample["ids"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer.decode(ids), text);
  }
  EXPECT_EQ(checked, 200);
}

TEST_F(TextTokenizerData, Gpt2) {
  Json merges = Json::array();
  std::istringstream lines(data_file("gpt2_tokenizer/merges.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.rfind("#version", 0) != 0) {
      merges.push_back(line);
    }
  }
  const std::string document =
      R"({"model": {"type": "BPE", "vocab": )" + data_file("gpt2_tokenizer/vocab.json") +
      R"(, "merges": )" + merges.dump() +
      R"(}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}})";
  const auto tokenizer = read_tokenizer_json(document, "", "gpt2");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ((*tokenizer)->vocab_size(), 50257);
  expect_oracle(**tokenizer, "gpt2_tokenizer/oracle_ids.jsonl");
}

TEST_F(TextTokenizerData, Llama2SentencePiece) {
  const auto tokenizer =
      read_sentencepiece(data_file("llama2_tokenizer/tokenizer.model"), "tokenizer.model");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ((*tokenizer)->vocab_size(), 32000);
  EXPECT_EQ((*tokenizer)->special().bos, 1);
  expect_oracle(**tokenizer, "llama2_tokenizer/oracle_ids.jsonl");
}

TEST_F(TextTokenizerData, SmallSentencePiece) {
  const auto tokenizer =
      read_sentencepiece(data_file("sentencepiece/test_model.model"), "test_model.model");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  const auto encoder = (*tokenizer)->encoder();
  std::istringstream lines(data_file("sentencepiece/test_model_oracle_ids.jsonl"));
  int checked = 0;
  for (std::string line; std::getline(lines, line); ++checked) {
    const Json sample = Json::parse(line);
    Ids ids;
    encoder->encode(sample["text"].get<std::string>(), false, ids);
    EXPECT_EQ(ids, sample["ids"].get<Ids>());
  }
  EXPECT_EQ(checked, 200);
}

// A part of the inputs ends where the separator begins; what follows the last one is no case.
std::vector<std::string> ggml_texts(const std::string& name) {
  const std::string all = data_file(name + ".inp");
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = all.find(separator, begin)) != std::string::npos;) {
    texts.push_back(all.substr(begin, end - begin));
    begin = end + separator.size();
  }
  return texts;
}

std::vector<Ids> ggml_ids(const std::string& name) {
  std::istringstream lines(data_file(name + ".out"));
  std::vector<Ids> all;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    all.emplace_back(std::istream_iterator<std::int32_t>(words),
                     std::istream_iterator<std::int32_t>());
  }
  return all;
}

class GgmlVocabularies : public TextTokenizerData,
                         public testing::WithParamInterface<const char*> {};

TEST_P(GgmlVocabularies, GiveTheirPublishedIds) {
  const std::string name = std::string("ggml_vocab/ggml-vocab-") + GetParam() + ".gguf";
  const auto file = GgufFile::open(data_path(name));
  ASSERT_TRUE(file.ok()) << file.error().text();
  const auto tokenizer = make_tokenizer(stored_vocabulary(*file, name));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  const std::vector<std::string> texts = ggml_texts(name);
  const std::vector<Ids> expected = ggml_ids(name);
  ASSERT_EQ(texts.size(), 46U);
  ASSERT_EQ(expected.size(), 46U);
  const auto encoder = (*tokenizer)->encoder();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const bool marks : {false, true}) {
      Ids ids;
      encoder->encode(texts[i], marks, ids);
      EXPECT_EQ(ids, expected[i]) << texts[i];
    }
    EXPECT_EQ((*tokenizer)->decode(expected[i]), texts[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgmlVocabularies,
                         testing::Values("deepseek-coder", "gpt-2", "llama-spm", "phi-3"),
                         [](const auto& name) {
                           std::string word = name.param;
                           std::erase(word, '-');
                           return word;
                         });

}  // namespace
}  // namespace lathe
