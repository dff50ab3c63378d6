// The container: what is written comes back; what is damaged is refused with a reason, whatever the
// damage.
#include "engine/io/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "engine/base/rng.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;

class Safetensors : public testing::Test {
 protected:
  void SetUp() override {
    path_ =
        fs::temp_directory_path() / ("lathe_safetensors_" + std::to_string(getpid()) + "_" +
                                     testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { fs::remove(path_); }

  std::string sound_file() {
    SafetensorsWriter writer;
    writer.declare("a", DType::kF32, {2, 3});
    writer.declare("b", DType::kI32, {1});
    writer.set_metadata("format", "test");
    const std::array<float, 6> a{1, 2, 3, 4, 5, 6};
    const std::int32_t b = 42;
    EXPECT_TRUE(writer.open(path_).ok());
    EXPECT_TRUE(writer.write(a.data(), sizeof(a)).ok());
    EXPECT_TRUE(writer.write(&b, sizeof(b)).ok());
    EXPECT_TRUE(writer.commit().ok());
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // A file with this header and so many bytes of data behind it.
  Result<SafetensorsFile> open_with(const std::string& header, std::size_t data_bytes) {
    const std::uint64_t length = header.size();
    std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
    bytes += header + std::string(data_bytes, '\1');
    return open_bytes(bytes);
  }
  Result<SafetensorsFile> open_bytes(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;
    return SafetensorsFile::open(path_);
  }

  fs::path path_;
};

TEST_F(Safetensors, WhatIsWrittenComesBack) {
  sound_file();
  const auto file = SafetensorsFile::open(path_);
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(file->entries().size(), 2u);
  EXPECT_EQ(file->metadata().at("format"), "test");
  const SafetensorsEntry* a = file->find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->shape, (std::vector<std::int64_t>{2, 3}));
  float last = 0;
  std::memcpy(&last, file->bytes(*a).data() + 20, 4);
  EXPECT_EQ(last, 6.0f);
  EXPECT_EQ(file->find("c"), nullptr);
}

TEST_F(Safetensors, LyingHeadersAreRefused) {
  const std::string f32 = R"("dtype":"F32","shape":[2])";
  const std::vector<std::pair<std::string, std::size_t>> lies{
      {"{}", 4},                                                         // bytes without a tensor
      {R"({"x":{)" + f32 + R"(,"data_offsets":[0,8]}})", 4},             // beyond the end
      {R"({"x":{)" + f32 + R"(,"data_offsets":[8,0]}})", 8},             // backwards
      {R"({"x":{)" + f32 + R"(,"data_offsets":[0,4]}})", 4},             // too small for the shape
      {R"({"x":{)" + f32 + R"(,"data_offsets":[-8,0]}})", 8},            // negative
      {R"({"x":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})", 8},  // unknown type
      {R"({"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8},
      {R"({"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})", 8},
      {R"({"x":{"shape":[2],"data_offsets":[0,8]}})", 8},
      {R"({"x":{)" + f32 + R"(,"data_offsets":[0,8]},"y":{)" + f32 + R"(,"data_offsets":[4,12]}})",
       12},
      {R"({"x":{)" + f32 + R"(,"data_offsets":[4,12]}})", 12},  // a gap
      {R"({"x":[]})", 0},
      {R"([1])", 0},
      {"not json", 0}};
  for (const auto& [header, data_bytes] : lies) {
    const auto file = open_with(header, data_bytes);
    ASSERT_FALSE(file.ok()) << header;
    EXPECT_EQ(file.error().kind, ErrorKind::kData) << header;
    EXPECT_NE(file.error().message.find(path_.string()), std::string::npos);
  }
}

TEST_F(Safetensors, AHeaderLongerThanTheFileIsRefused) {
  EXPECT_FALSE(open_bytes("").ok());
  EXPECT_FALSE(open_bytes("1234").ok());
  EXPECT_FALSE(open_bytes(std::string(8, '\xff') + "{}").ok());
}

// Any one byte changed, any tail cut off: an error or a sound file, never a crash or a wild read.
TEST_F(Safetensors, DamageNeverLeadsOutsideTheFile) {
  const std::string sound = sound_file();
  Rng rng(1, 2);
  for (int round = 0; round < 500; ++round) {
    std::string bytes = sound;
    bytes[rng.next_below(bytes.size())] = static_cast<char>(rng.next_below(256));
    if (round % 4 == 0) {
      bytes.resize(rng.next_below(bytes.size() + 1));
    }
    const auto file = open_bytes(bytes);
    if (!file) {
      continue;
    }
    std::size_t sum = 0;
    for (const SafetensorsEntry& entry : file->entries()) {
      for (const std::byte byte : file->bytes(entry)) {
        sum += static_cast<std::size_t>(byte);
      }
    }
    EXPECT_LT(sum, bytes.size() * 256);
  }
}

}  // namespace
}  // namespace lathe
