// The container: what is written comes back; what is damaged is refused with a reason, whatever the
// damage.
#include "engine/io/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "engine/base/rng.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Gguf : public testing::Test {
 protected:
  void SetUp() override {
    path_ =
        fs::temp_directory_path() / ("lathe_gguf_" + std::to_string(getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { fs::remove(path_); }

  // Keys of every kind that is written, and two tensors.
  std::string sound_file() {
    GgufWriter writer;
    writer.set_text("general.architecture", "llama");
    writer.set_u32("llama.block_count", 30);
    writer.set_f32("llama.eps", 0.5f);
    writer.set_bool("tokenizer.add_bos", true);
    writer.set_texts("tokens", {"a", "", "<|x|>"});
    writer.set_f32s("scores", {-1.5f, 2.0f});
    writer.set_i32s("types", {1, -3});
    writer.declare("w", StoredType::kQ8_0, {3, 32});
    writer.declare("b", StoredType::kF32, {5});
    EXPECT_TRUE(writer.open(path_).ok());
    std::vector<std::byte> w(3 * 34, std::byte{7});
    const std::array<float, 5> b{1, 2, 3, 4, 5};
    EXPECT_TRUE(writer.write(w.data(), w.size()).ok());
    EXPECT_TRUE(writer.write(reinterpret_cast<const std::byte*>(b.data()), sizeof b).ok());
    EXPECT_TRUE(writer.commit().ok());
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  Result<GgufFile> open_bytes(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return GgufFile::open(path_);
  }
  std::string refusal(const std::string& bytes) {
    const auto file = open_bytes(bytes);
    EXPECT_FALSE(file.ok());
    return file ? "" : file.error().text();
  }

  fs::path path_;
};

TEST_F(Gguf, WhatIsWrittenComesBack) {
  sound_file();
  const auto file = GgufFile::open(path_);
  ASSERT_TRUE(file.ok()) << file.error().text();
  EXPECT_EQ(*file->get<std::string>("general.architecture"), "llama");
  EXPECT_EQ(*file->get<std::int64_t>("llama.block_count"), 30);
  EXPECT_EQ(*file->get<double>("llama.eps"), 0.5);
  EXPECT_TRUE(*file->get<bool>("tokenizer.add_bos"));
  EXPECT_EQ(*file->get<GgufTexts>("tokens"), (GgufTexts{"a", "", "<|x|>"}));
  EXPECT_EQ(*file->get<GgufReals>("scores"), (GgufReals{-1.5, 2}));
  EXPECT_EQ(*file->get<GgufIntegers>("types"), (GgufIntegers{1, -3}));
  EXPECT_EQ(file->get<double>("nothing"), nullptr);
  EXPECT_EQ(file->get<double>("llama.block_count"), nullptr);  // of another type
  ASSERT_EQ(file->tensors().size(), 2U);
  const GgufTensor* w = file->find("w");
  ASSERT_NE(w, nullptr);
  EXPECT_EQ(w->shape, (std::vector<std::int64_t>{3, 32}));
  EXPECT_EQ(file->data(*w).size(), 102U);
  EXPECT_EQ(file->data(*w)[101], std::byte{7});
  float last = 0;
  std::memcpy(&last, file->data(*file->find("b")).data() + 16, 4);
  EXPECT_EQ(last, 5.0f);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(file->data(*w).data()) % 32, 0U);
}

TEST_F(Gguf, EveryTruncationIsRefused) {
  const std::string whole = sound_file();
  const std::size_t padding = 12;  // zeros after the last tensor's 20 bytes
  for (std::size_t length = 0; length + padding < whole.size(); ++length) {
    EXPECT_FALSE(open_bytes(whole.substr(0, length)).ok()) << length;
  }
}

TEST_F(Gguf, ChangedBytesNeverCrash) {
  const std::string whole = sound_file();
  Rng rng(1, 1);
  for (int trial = 0; trial < 3000; ++trial) {
    std::string changed = whole;
    for (std::uint64_t flips = 1 + rng.next_below(3); flips > 0; --flips) {
      changed[rng.next_below(changed.size())] = static_cast<char>(rng.next_below(256));
    }
    if (const auto file = open_bytes(changed); file) {
      for (const GgufTensor& tensor : file->tensors()) {
        EXPECT_EQ(file->data(tensor).size(), tensor.bytes);
      }
    }
  }
}

TEST_F(Gguf, SaysWhatIsWrong) {
  const std::string whole = sound_file();
  const auto patched = [&](std::size_t at, std::uint64_t value, std::size_t width) {
    std::string bytes = whole;
    std::memcpy(bytes.data() + at, &value, width);
    return bytes;
  };
  EXPECT_THAT(refusal("GGML" + whole.substr(4)), HasSubstr("GGUF"));
  EXPECT_THAT(refusal(patched(4, 2, 4)), HasSubstr("version is 2"));
  EXPECT_THAT(refusal(patched(8, 1ULL << 60U, 8)), HasSubstr("tensors"));
  EXPECT_THAT(refusal(patched(16, 1ULL << 60U, 8)), HasSubstr("keys"));
  const std::size_t type_of_b = whole.rfind(std::string("b\1\0\0\0", 5)) + 5 + 8;
  EXPECT_THAT(refusal(patched(type_of_b, 99, 4)), HasSubstr("ggml type 99"));
  EXPECT_THAT(refusal(patched(type_of_b, 8, 4)), HasSubstr("whole blocks"));
  EXPECT_THAT(refusal(patched(type_of_b + 4, 64, 8)), HasSubstr("begins at 64"));
  EXPECT_THAT(refusal(patched(type_of_b - 8, 1ULL << 40U, 8)), HasSubstr("beyond the end"));
  EXPECT_THAT(refusal(patched(type_of_b - 8, ~0ULL, 8)), HasSubstr("63 bits"));
  std::string twice = whole;
  twice.replace(twice.find("scores"), 6, "tokens");
  EXPECT_THAT(refusal(twice), HasSubstr("comes twice"));
}

TEST_F(Gguf, AMissingFileIsNamed) {
  const auto file = GgufFile::open("/nowhere/x.gguf");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.error().kind, ErrorKind::kData);
  EXPECT_THAT(file.error().text(), HasSubstr("/nowhere/x.gguf"));
}

}  // namespace
}  // namespace lathe
