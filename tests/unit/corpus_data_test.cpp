// The tokenizer and the corpus on real data sets (LATHE_DATA names their folder): GPT-2's published
// merges and ids as an oracle, a play as one file, Python sources as a folder.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/data/token_source.h"
#include "engine/tokenizer/tokenizer.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

class RealData : public testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("LATHE_DATA");
    if (folder == nullptr) {
      GTEST_SKIP() << "LATHE_DATA does not name the folder of the data sets";
    }
    data_ = folder;
    base_ = fs::path(testing::TempDir()) / "corpus_data_test";
    fs::remove_all(base_);
    setenv("XDG_CACHE_HOME", (base_ / "cache").c_str(), 1);
  }
  void TearDown() override {
    if (!base_.empty()) {
      fs::remove_all(base_);
    }
  }

  fs::path data_;
  fs::path base_;
};

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string utf8(int code) {
  return code < 0x80 ? std::string(1, static_cast<char>(code))
                     : std::string{static_cast<char>(0xC0 | (code >> 6)),
                                   static_cast<char>(0x80 | (code & 0x3F))};
}

// GPT-2's files write each byte as a printable character; those that are none follow from 256 on.
std::map<std::string, char> gpt2_bytes() {
  std::map<std::string, char> bytes;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    bytes[utf8(printable ? byte : next++)] = static_cast<char>(byte);
  }
  return bytes;
}

std::string from_gpt2(const std::string& piece, const std::map<std::string, char>& bytes) {
  std::string text;
  for (std::size_t i = 0; i < piece.size();) {
    const std::size_t length = static_cast<unsigned char>(piece[i]) < 0x80 ? 1 : 2;
    text += bytes.at(piece.substr(i, length));
    i += length;
  }
  return text;
}

Result<Tokenizer> gpt2_tokenizer(const fs::path& merges_file) {
  const std::map<std::string, char> bytes = gpt2_bytes();
  std::map<std::string, std::int32_t> ids;
  for (int byte = 0; byte < 256; ++byte) {
    ids[std::string(1, static_cast<char>(byte))] = byte;
  }
  std::vector<Merge> merges;
  std::ifstream in(merges_file);
  std::string left;
  std::string right;
  std::getline(in, left);  // the version
  while (in >> left >> right) {
    left = from_gpt2(left, bytes);
    right = from_gpt2(right, bytes);
    merges.push_back({ids.at(left), ids.at(right)});
    ids.try_emplace(left + right, kFirstMergeId + static_cast<std::int32_t>(merges.size()) - 1);
  }
  const auto count = static_cast<std::int64_t>(merges.size());
  return Tokenizer::bpe(std::move(merges), kFirstMergeId + count);
}

TEST_F(RealData, Gpt2sMergesGiveGpt2sPieces) {
  const fs::path folder = data_ / "gpt2_tokenizer";
  const Result<Tokenizer> tokenizer = gpt2_tokenizer(folder / "merges.txt");
  ASSERT_TRUE(tokenizer) << tokenizer.error().text();
  const std::map<std::string, char> bytes = gpt2_bytes();
  std::map<int, std::string> pieces;
  const Json vocab = Json::parse(content(folder / "vocab.json"));
  for (const auto& [piece, id] : vocab.items()) {
    if (piece != "<|endoftext|>") {
      pieces[id.get<int>()] = from_gpt2(piece, bytes);
    }
  }
  Encoder encoder(*tokenizer);
  std::ifstream in(folder / "oracle_ids.jsonl");
  std::string line;
  int texts = 0;
  while (std::getline(in, line)) {
    const Json entry = Json::parse(line);
    std::vector<std::int32_t> ids;
    encoder.encode(entry["text"].get<std::string>(), ids);
    std::vector<std::string> ours;
    for (const std::int32_t id : ids) {
      ours.emplace_back(tokenizer->token_bytes(id));
    }
    std::vector<std::string> theirs;
    for (const Json& id : entry["ids"]) {
      theirs.push_back(pieces.at(id.get<int>()));
    }
    ASSERT_EQ(ours, theirs) << "text " << texts;
    ++texts;
  }
  EXPECT_EQ(texts, 200);
}

TEST_F(RealData, APlayComesBackWhole) {
  DataConfig config;
  config.path = (data_ / "tinyshakespeare" / "input.txt").string();
  const auto source = open_corpus(config, 256, {}, {});
  ASSERT_TRUE(source) << source.error().text();
  std::string text;
  for (const Split split : {Split::kTrain, Split::kHeldout}) {
    text += (*source)->decode((*source)->tokens(split));
    text.resize(text.size() - std::string_view("<|end|>").size());
  }
  EXPECT_EQ(text, content(config.path));
  const CorpusInfo& info = (*source)->info();
  EXPECT_LT(info.train_tokens + info.heldout_tokens, info.text_bytes * 4 / 10)
      << "2,048 tokens hold more than 2.5 bytes each";
}

TEST_F(RealData, PythonSourcesAsAFolder) {
  std::ifstream in(data_ / "python_corpus" / "python_stdlib_dev.jsonl");
  std::string line;
  std::int64_t written = 0;
  while (std::getline(in, line)) {
    const Json entry = Json::parse(line);
    const fs::path path = base_ / "text" / entry["path"].get<std::string>();
    fs::create_directories(path.parent_path());
    const std::string text = entry["text"].get<std::string>();
    std::ofstream(path, std::ios::binary) << text;
    written += static_cast<std::int64_t>(text.size());
  }
  DataConfig config;
  config.path = (base_ / "text").string();
  const auto source = open_corpus(config, 256, {}, {});
  ASSERT_TRUE(source) << source.error().text();
  const CorpusInfo& info = (*source)->info();
  EXPECT_GT(written, 1'000'000);
  EXPECT_EQ(info.text_bytes, written);
  EXPECT_EQ(info.skipped_files, 0);
  EXPECT_GT(info.heldout_tokens, info.train_tokens / 50);
  EXPECT_LT(info.heldout_tokens, info.train_tokens / 2);
}

}  // namespace
}  // namespace lathe
