// Files written atomically and mapped files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/base/atomic_file.h"
#include "engine/base/mapped_file.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

class BaseFiles : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / ("base_files_" + std::string(test->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  static std::string content(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  std::ptrdiff_t entries() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  fs::path folder_;
};

TEST_F(BaseFiles, CommitReplacesTheOldFileAsAWhole) {
  const fs::path path = folder_ / "file";
  ASSERT_TRUE(write_file_atomically(path, "old"));
  Result<AtomicFile> file = AtomicFile::create(path);
  ASSERT_TRUE(file) << file.error().text();
  ASSERT_TRUE(file->write("xx", 2));
  ASSERT_TRUE(file->write("new", 3));
  ASSERT_TRUE(file->write_at(0, "a ", 2));
  EXPECT_EQ(content(path), "old");
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(content(path), "a new");
  EXPECT_EQ(entries(), 1);
}

TEST_F(BaseFiles, WithoutCommitNothingStays) {
  {
    Result<AtomicFile> file = AtomicFile::create(folder_ / "file");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("x", 1));
    EXPECT_EQ(entries(), 1);
  }
  EXPECT_EQ(entries(), 0);
}

TEST_F(BaseFiles, CreatesParentFolders) {
  ASSERT_TRUE(write_file_atomically(folder_ / "a" / "b" / "file", "text"));
  EXPECT_EQ(content(folder_ / "a" / "b" / "file"), "text");
}

TEST_F(BaseFiles, AFailureNamesPathReasonAndRemedy) {
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "not a folder"));
  const Result<void> written = write_file_atomically(folder_ / "file" / "below", "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kDisk);
  EXPECT_THAT(written.error().message, testing::HasSubstr((folder_ / "file").string()));
  EXPECT_THAT(written.error().message, testing::HasSubstr("Not a directory"));
  EXPECT_FALSE(written.error().remedy.empty());
}

TEST_F(BaseFiles, MapsTheContent) {
  ASSERT_TRUE(write_file_atomically(folder_ / "file", "content"));
  const Result<MappedFile> file = MappedFile::open(folder_ / "file");
  ASSERT_TRUE(file) << file.error().text();
  const auto bytes = file->bytes();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), "content");
}

TEST_F(BaseFiles, MapsAnEmptyFileAndRefusesWhatIsNone) {
  ASSERT_TRUE(write_file_atomically(folder_ / "empty", ""));
  const Result<MappedFile> empty = MappedFile::open(folder_ / "empty");
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->bytes().empty());
  const Result<MappedFile> folder = MappedFile::open(folder_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, ErrorKind::kData);
  const Result<MappedFile> missing = MappedFile::open(folder_ / "missing");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, testing::HasSubstr("missing"));
}

}  // namespace
}  // namespace lathe
