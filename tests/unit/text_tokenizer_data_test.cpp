// Published tokenizers against published ids: GPT-2's and LLaMA 2's on 200 texts each, and the
// library's own small SentencePiece model.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "engine/base/json.h"
#include "engine/tokenizer/sentencepiece_tokenizer.h"
#include "engine/tokenizer/tokenizer_json.h"

namespace lathe {
namespace {

std::string data_file(const std::string& name) {
  const char* folder = std::getenv("LATHE_DATA");
  std::ifstream in(std::string(folder == nullptr ? "/nowhere" : folder) + "/" + name,
                   std::ios::binary);
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
    std::vector<std::int32_t> ids;
    encoder->encode(text, false, ids);
    EXPECT_EQ(ids, sample["ids"].get<std::vector<std::int32_t>>()) << text;
    EXPECT_EQ(tokenizer.decode(ids), text);
  }
  EXPECT_GE(checked, 200);
}

TEST(TextTokenizerData, Gpt2) {
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

TEST(TextTokenizerData, Llama2SentencePiece) {
  const auto tokenizer =
      read_sentencepiece(data_file("llama2_tokenizer/tokenizer.model"), "tokenizer.model");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  EXPECT_EQ((*tokenizer)->vocab_size(), 32000);
  EXPECT_EQ((*tokenizer)->special().bos, 1);
  expect_oracle(**tokenizer, "llama2_tokenizer/oracle_ids.jsonl");
}

TEST(TextTokenizerData, SmallSentencePiece) {
  const auto tokenizer =
      read_sentencepiece(data_file("sentencepiece/test_model.model"), "test_model.model");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.error().text();
  const auto encoder = (*tokenizer)->encoder();
  std::istringstream lines(data_file("sentencepiece/test_model_oracle_ids.jsonl"));
  int checked = 0;
  for (std::string line; std::getline(lines, line); ++checked) {
    const Json sample = Json::parse(line);
    std::vector<std::int32_t> ids;
    encoder->encode(sample["text"].get<std::string>(), false, ids);
    EXPECT_EQ(ids, sample["ids"].get<std::vector<std::int32_t>>());
  }
  EXPECT_EQ(checked, 200);
}

}  // namespace
}  // namespace lathe
