// Matrices in bitsandbytes' parts and back, and parts that are no matrix.
#include "engine/io/bitsandbytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/rng.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kRows = 8;
constexpr std::int64_t kCols = 128;
const std::string kName = "model.layers.0.mlp.down_proj.weight";
const std::string kStateName = kName + ".quant_state.bitsandbytes__nf4";

std::vector<std::byte> matrix_of(StoredType type) {
  Rng rng(3, 1);
  std::vector<float> values;
  for (std::int64_t i = 0; i < kRows * kCols; ++i) {
    values.push_back(static_cast<float>(rng.next_unit() - 0.5));
  }
  std::vector<std::byte> stored(static_cast<std::size_t>(matrix_bytes(type, kRows, kCols)));
  encode_matrix(type, values.data(), kRows, kCols, stored.data());
  return stored;
}

// A file's tensors by name; views into `parts`.
std::map<std::string, FoundTensor> found_in(const std::vector<BitsandbytesPart>& parts) {
  std::map<std::string, FoundTensor> found;
  for (const BitsandbytesPart& part : parts) {
    found[part.name] = {{part.name, part.dtype, part.shape, 0, part.bytes.size()}, part.bytes};
  }
  return found;
}

std::vector<BitsandbytesPart> parts_of(StoredType type) {
  return bitsandbytes_parts(kName, type, kRows, kCols, "float16", matrix_of(type));
}

BitsandbytesPart& part(std::vector<BitsandbytesPart>& parts, const std::string& name) {
  return *std::find_if(parts.begin(), parts.end(),
                       [&](const BitsandbytesPart& one) { return one.name == name; });
}

std::string refusal(const std::vector<BitsandbytesPart>& parts) {
  auto found = found_in(parts);
  const auto taken = take_bitsandbytes(found);
  return taken.ok() ? "" : taken.error().message;
}

void set_state(std::vector<BitsandbytesPart>& parts, const std::string& key, const Json& value) {
  BitsandbytesPart& state = part(parts, kStateName);
  Json json =
      Json::parse(std::string(reinterpret_cast<char*>(state.bytes.data()), state.bytes.size()));
  json[key] = value;
  const std::string text = json.dump();
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  state.bytes.assign(bytes.begin(), bytes.end());
}

TEST(Bitsandbytes, PartsAreTheMatrixAgain) {
  for (const StoredType type : {StoredType::kNf4, StoredType::kNf4Double, StoredType::kInt8Row}) {
    const std::vector<BitsandbytesPart> parts = parts_of(type);
    const std::vector<BitsandbytesPart> declared =
        bitsandbytes_parts(kName, type, kRows, kCols, "float16", {});
    ASSERT_EQ(parts.size(), declared.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
      EXPECT_EQ(parts[i].name, declared[i].name);
      EXPECT_EQ(parts[i].shape, declared[i].shape);
    }
    auto found = found_in(parts);
    found["model.norm.weight"] = {};
    const auto taken = take_bitsandbytes(found);
    ASSERT_TRUE(taken.ok()) << taken.error().message;
    const BitsandbytesMatrix& matrix = taken->at(kName);
    EXPECT_EQ(matrix.type, type);
    ASSERT_EQ(matrix_error(type, matrix.rows, matrix.cols, matrix.bytes), "");
    std::vector<float> before(kRows * kCols);
    std::vector<float> after(kRows * kCols);
    decode_matrix(stored_matrix(type, matrix_of(type).data(), kRows, kCols), before.data());
    decode_matrix(stored_matrix(type, matrix.bytes.data(), kRows, kCols), after.data());
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_NEAR(after[i], before[i], 1e-6f);  // int8: the scale goes by way of the absmax
    }
    EXPECT_EQ(found.size(), 1u);  // the norm is left
  }
}

TEST(Bitsandbytes, WhatIsNotReadIsNamed) {
  EXPECT_EQ(refusal(parts_of(StoredType::kNf4)), "");
  for (const auto& [key, value, told] :
       {std::tuple("blocksize", Json(128), "blocksize is 128"),
        std::tuple("blocksize", Json("64"), "blocksize"),
        std::tuple("shape", Json{8, 96}, "no whole blocks of 64"),
        std::tuple("shape", Json{8, 192}, "not of its shape"),
        std::tuple("shape", Json{-8, 128}, "not that of a matrix"),
        std::tuple("shape", Json(7), "not that of a matrix"),
        std::tuple("nested_blocksize", Json(64), "blocks of 256")}) {
    std::vector<BitsandbytesPart> parts = parts_of(StoredType::kNf4);
    set_state(parts, key, value);
    EXPECT_THAT(refusal(parts), HasSubstr(told));
    EXPECT_THAT(refusal(parts), HasSubstr(kName));
  }
  std::vector<BitsandbytesPart> other = parts_of(StoredType::kNf4Double);
  part(other, kName + ".nested_quant_map").bytes[403] ^= std::byte{0x40};
  EXPECT_THAT(refusal(other), HasSubstr("not those of NF4"));
  std::vector<BitsandbytesPart> fp4 = parts_of(StoredType::kNf4);
  part(fp4, kStateName).name = kName + ".quant_state.bitsandbytes__fp4";
  EXPECT_THAT(refusal(fp4), HasSubstr("it is fp4"));
  std::vector<BitsandbytesPart> no_codes = parts_of(StoredType::kNf4);
  no_codes.erase(no_codes.begin());
  EXPECT_THAT(refusal(no_codes), HasSubstr("the codes are missing"));
  std::vector<BitsandbytesPart> text = parts_of(StoredType::kNf4);
  part(text, kStateName).bytes = {std::byte{'['}};
  EXPECT_THAT(refusal(text), HasSubstr("no JSON object"));
}

TEST(Bitsandbytes, RowsOfInt8HaveASizeEach) {
  std::vector<BitsandbytesPart> parts = parts_of(StoredType::kInt8Row);
  parts[1].shape = {4};
  EXPECT_THAT(refusal(parts), HasSubstr("SCB"));
  parts = parts_of(StoredType::kInt8Row);
  parts[2].bytes = {std::byte{1}};
  EXPECT_THAT(refusal(parts), HasSubstr("by rows"));
  parts = parts_of(StoredType::kInt8Row);
  parts[0].dtype = "F16";
  EXPECT_THAT(refusal(parts), HasSubstr("no matrix of I8"));
}

}  // namespace
}  // namespace lathe
