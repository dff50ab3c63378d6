// From files to token streams: what is found, how it is split, the cache, and each refusal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engine/data/corpus_files.h"
#include "engine/data/corpus_pieces.h"
#include "engine/data/token_source.h"
#include "engine/tokenizer/tokenizer.h"
#include "engine/tokenizer/utf8.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using Source = std::shared_ptr<const TokenSource>;

constexpr std::int64_t kSeqLen = 8;

class Corpora : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    base_ = fs::path(testing::TempDir()) / ("corpus_" + std::string(test->name()));
    fs::remove_all(base_);
    root_ = base_ / "text";
    fs::create_directories(root_);
    cache_ = base_ / "cache";
    setenv("XDG_CACHE_HOME", cache_.c_str(), 1);
    unsetenv("LATHE_CORPUS");
    config_.path = root_.string();
    config_.vocab_size = 300;
  }
  void TearDown() override { fs::remove_all(base_); }

  // Dated back, so that its time is trusted.
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
    fs::last_write_time(root_ / name, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  void put_many(int count) const {
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      put("f" + n + ".py", "def f" + n + "(x):\n    return x + " + n + "\n");
    }
  }
  Result<Source> open(const CorpusProgress& progress = {}) const {
    return open_corpus(config_, kSeqLen, {}, progress);
  }
  std::vector<std::string> relatives() const {
    const Result<FileList> list = list_corpus_files(config_);
    std::vector<std::string> names;
    for (const CorpusFile& file : list.value().files) {
      names.push_back(file.relative);
    }
    return names;
  }
  std::set<std::string> held_out() const {
    const Result<Corpus> corpus = read_corpus(config_, list_corpus_files(config_).value(), {});
    std::set<std::string> names;
    for (const Piece& piece : corpus.value().pieces) {
      if (piece.split == Split::kHeldout) {
        names.insert(corpus->list.files[piece.file].relative);
      }
    }
    return names;
  }
  void expect_error(const std::string& part) const {
    const Result<Source> source = open();
    ASSERT_FALSE(source);
    EXPECT_EQ(source.error().kind, ErrorKind::kData);
    EXPECT_THAT(source.error().message, HasSubstr(part));
    EXPECT_FALSE(source.error().remedy.empty());
  }
  fs::path token_file() const {
    for (const auto& entry : fs::recursive_directory_iterator(cache_)) {
      if (entry.path().filename() == "tokens.bin") {
        return entry.path();
      }
    }
    return {};
  }

  fs::path base_;
  fs::path root_;
  fs::path cache_;
  DataConfig config_;
};

std::vector<std::int32_t> all_tokens(const TokenSource& source) {
  const auto train = source.tokens(Split::kTrain);
  const auto heldout = source.tokens(Split::kHeldout);
  std::vector<std::int32_t> tokens(train.begin(), train.end());
  tokens.insert(tokens.end(), heldout.begin(), heldout.end());
  return tokens;
}

TEST_F(Corpora, FindsTextAndLeavesTheRest) {
  put("a.py", "a");
  put("sub/deep/b.md", "b");
  put("c.bin", "c");
  put(".hidden.py", "d");
  put(".git/e.py", "e");
  put("__pycache__/f.py", "f");
  put("empty.py", "");
  EXPECT_THAT(relatives(), UnorderedElementsAre("a.py", "sub/deep/b.md"));
  config_.extensions = {};
  EXPECT_THAT(relatives(), UnorderedElementsAre("a.py", "sub/deep/b.md", "c.bin"));
}

TEST_F(Corpora, LinksThatLoopEnd) {
  put("sub/a.py", "a");
  fs::create_directory_symlink(root_, root_ / "sub" / "up");
  fs::create_directory_symlink(root_ / "nowhere", root_ / "broken");
  EXPECT_THAT(relatives(), ElementsAre("sub/a.py"));
}

TEST_F(Corpora, OrderAndSplitOfAFileDoNotHangOnTheOthers) {
  put_many(40);
  config_.heldout = 0.3;
  const std::vector<std::string> order = relatives();
  const std::set<std::string> before = held_out();
  EXPECT_GT(before.size(), 4U);
  EXPECT_LT(before.size(), 25U);
  put("new.py", "print('new')\n");
  std::vector<std::string> order_after = relatives();
  std::erase(order_after, "new.py");
  EXPECT_EQ(order_after, order);
  std::set<std::string> after = held_out();
  after.erase("new.py");
  EXPECT_EQ(after, before);
}

TEST_F(Corpora, BothPartsHaveAFileWhateverTheShare) {
  put_many(3);
  config_.heldout = 0.001;
  EXPECT_EQ(held_out().size(), 1U);
  config_.heldout = 0.9;
  EXPECT_EQ(held_out().size(), 2U);
}

TEST_F(Corpora, MaxBytesTakesWhatFitsInOrder) {
  put_many(20);
  const std::vector<std::string> all = relatives();
  config_.max_bytes = 200;
  const std::vector<std::string> some = relatives();
  ASSERT_GT(some.size(), 2U);
  ASSERT_LT(some.size(), 10U);
  std::int64_t bytes = 0;
  const Result<FileList> list = list_corpus_files(config_);
  for (const CorpusFile& file : list->files) {
    bytes += file.bytes;
  }
  EXPECT_LE(bytes, 200);
  EXPECT_EQ(some.front(), all.front());
}

TEST_F(Corpora, ALoneFileIsCutAtALineEnd) {
  std::string text;
  for (int i = 0; i < 100; ++i) {
    text += "line " + std::to_string(i) + "\n";
  }
  put("lone.log", text);
  config_.path = (root_ / "lone.log").string();
  config_.tokenizer = TokenizerKind::kByte;
  const Result<Source> source = open();
  ASSERT_TRUE(source) << source.error().text();
  const std::string train = (*source)->decode((*source)->tokens(Split::kTrain));
  const std::string heldout = (*source)->decode((*source)->tokens(Split::kHeldout));
  EXPECT_THAT(train, testing::EndsWith("\n<|end|>"));
  EXPECT_THAT(heldout, testing::StartsWith("line "));
  EXPECT_THAT(heldout, testing::EndsWith("line 99\n<|end|>"));
  EXPECT_EQ(train.substr(0, train.size() - 7) + heldout.substr(0, heldout.size() - 7), text);
  EXPECT_NEAR(static_cast<double>(heldout.size()) / static_cast<double>(text.size()), 0.1, 0.03);
}

TEST_F(Corpora, ALoneLineIsCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += "\xE4\xBD\xA0";
  }
  put("line.txt", text);
  config_.tokenizer = TokenizerKind::kByte;
  for (const double share : {0.1, 0.101, 0.102, 0.103}) {
    config_.heldout = share;
    const Result<Source> source = open();
    ASSERT_TRUE(source) << source.error().text();
    std::string train = (*source)->decode((*source)->tokens(Split::kTrain));
    EXPECT_TRUE(is_utf8(train)) << share;
  }
}

TEST_F(Corpora, ALargeFileComesInPiecesWithoutLoss) {
  std::string text;
  for (int i = 0; text.size() < (33U << 20); ++i) {
    text += "row " + std::to_string(i) + ": some text that makes the file long enough\n";
  }
  put("large.txt", text);
  put("small.txt", "small\n");
  const Result<Corpus> corpus = read_corpus(config_, list_corpus_files(config_).value(), {});
  ASSERT_TRUE(corpus) << corpus.error().text();
  EXPECT_EQ(corpus->pieces.size(), 4U);
  std::string joined;
  int ends = 0;
  for (const Piece& piece : corpus->pieces) {
    if (corpus->list.files[piece.file].relative == "large.txt") {
      joined += read_piece(*corpus, piece).value();
      ends += piece.ends_document ? 1 : 0;
    }
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(ends, 1);
}

TEST_F(Corpora, BinaryAndForeignTextAreSkippedAndCounted) {
  put_many(10);
  put("nul.py", std::string("a\0b", 3));
  put("latin1.py", "caf\xE9\n");
  const Result<Source> source = open();
  ASSERT_TRUE(source) << source.error().text();
  EXPECT_EQ((*source)->info().files, 10);
  EXPECT_EQ((*source)->info().skipped_files, 2);
}

TEST_F(Corpora, TokensDecodeToTheDocuments) {
  put_many(30);
  const Result<Source> source = open();
  ASSERT_TRUE(source) << source.error().text();
  const CorpusInfo& info = (*source)->info();
  EXPECT_EQ(info.vocab_size, 300);
  EXPECT_EQ(info.train_tokens, std::ssize((*source)->tokens(Split::kTrain)));
  EXPECT_EQ(info.heldout_tokens, std::ssize((*source)->tokens(Split::kHeldout)));
  EXPECT_EQ(info.digest.size(), 64U);
  const std::string text = (*source)->decode(all_tokens(**source));
  EXPECT_EQ(static_cast<std::int64_t>(text.size()), info.text_bytes + 30 * 7);
  for (int i = 0; i < 30; ++i) {
    EXPECT_THAT(text, HasSubstr("return x + " + std::to_string(i) + "\n<|end|>"));
  }
  EXPECT_LT(info.train_tokens + info.heldout_tokens, info.text_bytes) << "pairs were merged";
}

TEST_F(Corpora, SecondOpeningOnlyMaps) {
  put_many(30);
  const Result<Source> first = open();
  ASSERT_TRUE(first) << first.error().text();
  const auto written = fs::last_write_time(token_file());
  std::vector<std::string> steps;
  const Result<Source> second =
      open([&](double, const std::string& what) { steps.push_back(what); });
  ASSERT_TRUE(second);
  EXPECT_THAT(steps, ElementsAre("corpus ready"));
  EXPECT_EQ(fs::last_write_time(token_file()), written);
  EXPECT_EQ(all_tokens(**first), all_tokens(**second));
  EXPECT_EQ((*first)->info().digest, (*second)->info().digest);
}

TEST_F(Corpora, NewTimesWithOldContentsReuseTheTokens) {
  put_many(30);
  ASSERT_TRUE(open());
  const auto written = fs::last_write_time(token_file());
  put_many(30);
  ASSERT_TRUE(open());
  EXPECT_EQ(fs::last_write_time(token_file()), written);
}

TEST_F(Corpora, AChangedFileChangesTheDigest) {
  put_many(30);
  const std::string before = (*open())->info().digest;
  put("f3.py", "def other(y):\n    return y * 3\n");
  EXPECT_NE((*open())->info().digest, before);
}

TEST_F(Corpora, DigestDoesNotHangOnThePlaceOfTheFolder) {
  put_many(30);
  const std::string before = (*open())->info().digest;
  fs::rename(root_, base_ / "moved");
  config_.path = (base_ / "moved").string();
  EXPECT_EQ((*open())->info().digest, before);
}

TEST_F(Corpora, ADamagedCacheIsMadeAnew) {
  put_many(30);
  const std::vector<std::int32_t> whole = all_tokens(**open());
  const fs::path tokens = token_file();
  const auto damage = [](const fs::path& path, std::streamoff offset, char value = '\x7F') {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.put(value);
  };
  const std::vector<std::function<void()>> damages = {
      [&] { damage(tokens, 0); },
      [&] { damage(tokens, 20); },
      [&] { damage(tokens, 4096, '\x02'); },  // another token that exists
      [&] { damage(tokens, 4097); },
      [&] { fs::resize_file(tokens, 5000); },
      [&] { fs::resize_file(tokens, 0); },
      [&] { fs::remove(tokens); },
      [&] { damage(tokens.parent_path() / "tokenizer.json", 5); },
      [&] { fs::remove(tokens.parent_path() / "tokenizer.json"); }};
  for (std::size_t i = 0; i < damages.size(); ++i) {
    damages[i]();
    const Result<Source> source = open();
    ASSERT_TRUE(source) << i << ": " << source.error().text();
    EXPECT_EQ(all_tokens(**source), whole) << i;
  }
}

TEST_F(Corpora, ADamagedIndexIsPassedOver) {
  put_many(30);
  const std::string digest = (*open())->info().digest;
  for (const auto& entry : fs::directory_iterator(cache_ / "lathe" / "tokens" / "index")) {
    std::ofstream(entry.path()) << "../../../../etc";
  }
  const Result<Source> source = open();
  ASSERT_TRUE(source) << source.error().text();
  EXPECT_EQ((*source)->info().digest, digest);
}

TEST_F(Corpora, WritersAtOnceGiveOneWholeFile) {
  put_many(200);
  std::vector<std::string> digests(4);
  std::vector<std::thread> writers;
  for (std::string& digest : digests) {
    writers.emplace_back([&] {
      const Result<Source> source = open();
      digest = source ? (*source)->info().digest : source.error().text();
    });
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
  EXPECT_THAT(digests, testing::Each(digests.front()));
  EXPECT_EQ(digests.front().size(), 64U);
  for (const auto& entry : fs::recursive_directory_iterator(cache_)) {
    EXPECT_THAT(entry.path().string(), testing::Not(HasSubstr(".tmp-")));
  }
}

TEST_F(Corpora, TheNameOfTheSampleCorpusMeansTheLibraryOrTheVariable) {
  put_many(30);
  setenv("LATHE_CORPUS", root_.c_str(), 1);
  config_.path = "python-stdlib";
  EXPECT_EQ(relatives().size(), 30U);
  unsetenv("LATHE_CORPUS");
  const Result<fs::path> library = resolve_corpus_path("python-stdlib");
  if (!library) {
    GTEST_SKIP() << library.error().message;
  }
  EXPECT_TRUE(fs::exists(*library / "os.py"));
  const Result<FileList> list = list_corpus_files(config_);
  ASSERT_TRUE(list) << list.error().text();
  EXPECT_GT(list->files.size(), 100U);
  for (const CorpusFile& file : list->files) {
    EXPECT_THAT(file.relative, testing::Not(HasSubstr("dist-packages")));
    EXPECT_THAT("/" + file.relative, testing::Not(HasSubstr("/test/")));
  }
}

TEST_F(Corpora, RefusalsNameTheThing) {
  config_.path = (base_ / "missing").string();
  expect_error("No such file");
  config_.path = "";
  expect_error("data.path is empty");
  config_.path = root_.string();
  expect_error("holds no text");
  put("a.bin", "x");
  put("b.py", "");
  expect_error("1 files end in none of .py, .txt, .md, 1 are empty");
  put("c.py", std::string("\0\0", 2));
  expect_error("1 file was read and is binary");
  put("d.py", "x = 1\n");
  expect_error("tokens; two sequences of train.seq_len = 8 need 17");
  config_.max_bytes = 1;
  expect_error("data.max_bytes is 1, less than each of the 2 files");
  config_.path = "/dev/null";
  expect_error("neither a file nor a folder");
}

TEST_F(Corpora, ACacheThatCannotBeWrittenIsADiskError) {
  put_many(30);
  std::ofstream(base_ / "file") << "in the way";
  setenv("XDG_CACHE_HOME", (base_ / "file").c_str(), 1);
  const Result<Source> source = open();
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().kind, ErrorKind::kDisk);
  EXPECT_THAT(source.error().text(), HasSubstr("XDG_CACHE_HOME"));
}

TEST_F(Corpora, ProgressRisesAndEndsAtOne) {
  put_many(60);
  std::vector<double> shares;
  ASSERT_TRUE(open([&](double share, const std::string&) { shares.push_back(share); }));
  ASSERT_FALSE(shares.empty());
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_EQ(shares.back(), 1.0);
}

TEST(BatchOffsets, DependOnSeedStepAndMicroAlone) {
  const auto draw = [](std::uint64_t seed, std::int64_t step, std::int64_t micro) {
    std::vector<std::int64_t> offsets(8);
    batch_offsets(100000, 256, seed, step, micro, offsets);
    return offsets;
  };
  EXPECT_EQ(draw(1, 2, 3), draw(1, 2, 3));
  EXPECT_NE(draw(1, 2, 3), draw(2, 2, 3));
  EXPECT_NE(draw(1, 2, 3), draw(1, 3, 3));
  EXPECT_NE(draw(1, 2, 3), draw(1, 2, 4));
  std::vector<std::int64_t> fewer(4);
  batch_offsets(100000, 256, 1, 2, 3, fewer);
  const std::vector<std::int64_t> all = draw(1, 2, 3);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), all.begin()));
}

TEST(BatchOffsets, CoverTheStreamAndStayWithinIt) {
  constexpr std::int64_t kTokens = 20;
  constexpr std::int64_t kLength = 15;
  std::set<std::int64_t> seen;
  for (std::int64_t step = 0; step < 200; ++step) {
    std::vector<std::int64_t> offsets(4);
    batch_offsets(kTokens, kLength, 5, step, 0, offsets);
    seen.insert(offsets.begin(), offsets.end());
  }
  EXPECT_THAT(seen, ElementsAre(0, 1, 2, 3, 4)) << "the last sequence ends at the last token";
}

}  // namespace
}  // namespace lathe
