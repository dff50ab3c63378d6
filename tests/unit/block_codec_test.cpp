// Stored blocks against an independent reader and writer (golden/make_blocks.py), and the encoders'
// errors against what their rules allow.
#include "engine/quant/block_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/rng.h"
#include "engine/quant/half.h"
#include "tests/support/stored_values.h"

namespace lathe {
namespace {

using test::round_trip;
using test::squared_error;

std::vector<std::byte> bytes_of_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Json golden() {
  return read_json_file(LATHE_GOLDEN "/blocks.json").value();
}

std::vector<float> normal_values(std::int64_t count, std::uint64_t stream) {
  Rng rng(3, stream);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    // Box and Muller's rule, one of the pair.
    const double radius = std::sqrt(-2 * std::log(1 - rng.next_unit()));
    values.push_back(static_cast<float>(radius * std::cos(6.283185307179586 * rng.next_unit())));
  }
  return values;
}

TEST(BlockCodec, DecodesAsTheOtherReaderDoes) {
  int types = 0;
  const Json decoded = golden()["decoded"];
  for (const auto& [name, sample] : decoded.items()) {
    const auto type = stored_type_of_name(name);
    ASSERT_TRUE(type) << name;
    const auto stored = bytes_of_hex(sample["bytes"]);
    const auto expected = sample["values"].get<std::vector<float>>();
    std::vector<float> values(expected.size());
    decode_row(*type, stored.data(), values.data(), static_cast<std::int64_t>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      EXPECT_NEAR(values[i], expected[i], 1e-6 * (1 + std::abs(expected[i]))) << name << " " << i;
    }
    ++types;
  }
  EXPECT_EQ(types, 9);
}

TEST(BlockCodec, EncodesAsTheOtherWriterDoes) {
  const Json encoded = golden()["encoded"];
  for (const auto& [name, sample] : encoded.items()) {
    const auto type = stored_type_of_name(name);
    const auto values = sample["values"].get<std::vector<float>>();
    const auto expected = bytes_of_hex(sample["bytes"]);
    std::vector<std::byte> stored(expected.size());
    encode_row(*type, values.data(), stored.data(), static_cast<std::int64_t>(values.size()));
    EXPECT_EQ(stored, expected) << name;
  }
}

TEST(BlockCodec, ErrorsStayWithinHalfAStep) {
  const std::vector<float> values = normal_values(4096, 1);
  const std::vector<float> q8 = round_trip(StoredType::kQ8_0, values);
  for (std::size_t block = 0; block < values.size(); block += 32) {
    float largest = 0;
    for (std::size_t i = block; i < block + 32; ++i) {
      largest = std::max(largest, std::abs(values[i]));
    }
    const float step = largest / 127;
    for (std::size_t i = block; i < block + 32; ++i) {
      EXPECT_LE(std::abs(values[i] - q8[i]), 0.5f * step + largest * 0x1p-11f);
    }
  }
  EXPECT_EQ(round_trip(StoredType::kF32, values), values);
}

// Bits buy accuracy: the order of the types' errors, and a search that pays.
TEST(BlockCodec, MoreBitsMeanLessError) {
  const std::vector<float> values = normal_values(8192, 2);
  const auto error = [&](StoredType type) {
    return squared_error(values, round_trip(type, values));
  };
  EXPECT_LT(error(StoredType::kF16), error(StoredType::kBf16));
  EXPECT_LT(error(StoredType::kQ8_0), error(StoredType::kQ6_K));
  EXPECT_LT(error(StoredType::kQ6_K), error(StoredType::kQ4_1));
  EXPECT_LT(error(StoredType::kQ4_1), error(StoredType::kQ4_0));
  // 6 bits uniform on a normal block of 16 with a scale per group: about 3e-4 of the variance.
  EXPECT_LT(error(StoredType::kQ6_K) / 8192, 6e-4);
}

// What came from four bits lies on a grid, and eight bits can keep most of it.
TEST(BlockCodec, Q80KeepsTheGridOfFourBits) {
  const std::vector<float> values = round_trip(StoredType::kQ4_1, normal_values(8192, 3));
  double plain = 0;  // the expected error of d = max|x|/127: a step's square over 12
  for (std::size_t block = 0; block < values.size(); block += 32) {
    const auto [low, high] = std::minmax_element(&values[block], &values[block] + 32);
    const double step = std::max(-*low, *high) / 127.0;
    plain += 32 * step * step / 12;
  }
  EXPECT_LT(squared_error(values, round_trip(StoredType::kQ8_0, values)), 0.25 * plain);
}

TEST(BlockCodec, TheExtremeOfAQ40BlockIsMetExactly) {
  std::vector<float> values(32);
  for (int i = 0; i < 32; ++i) {
    values[static_cast<std::size_t>(i)] = static_cast<float>(i - 16) / 2;
  }
  const std::vector<float> back = round_trip(StoredType::kQ4_0, values);
  EXPECT_EQ(back[0], -8.0f);
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_LE(std::abs(back[i] - values[i]), 1.0f);  // one step, since 15 ends the range
  }
  EXPECT_EQ(round_trip(StoredType::kQ6_K, std::vector<float>(256)), std::vector<float>(256));
  EXPECT_EQ(round_trip(StoredType::kQ4_0, std::vector<float>(32)), std::vector<float>(32));
}

TEST(Half, RoundsToNearestEvenAndKeepsWhatIsNoNumber) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = float_of_half(static_cast<std::uint16_t>(bits));
    if (!std::isnan(value)) {
      EXPECT_EQ(half_of_float(value), bits);
    }
  }
  EXPECT_EQ(float_of_half(half_of_float(65504.0f)), 65504.0f);
  EXPECT_TRUE(std::isinf(float_of_half(half_of_float(65520.0f))));
  EXPECT_TRUE(std::isnan(float_of_half(half_of_float(NAN))));
  EXPECT_EQ(half_of_float(1.0f + 0x1p-11f), half_of_float(1.0f));          // a tie goes to even
  EXPECT_EQ(half_of_float(1.0f + 3 * 0x1p-11f), half_of_float(1.0f) + 2);  // and up to even
  EXPECT_EQ(half_of_float(0x1p-25f), 0);                                   // half the smallest
  EXPECT_EQ(half_of_float(0x1.8p-25f), 1);
  EXPECT_EQ(float_of_bf16(bf16_of_float(1.0f + 0x1p-8f)), 1.0f);
  EXPECT_TRUE(std::isnan(float_of_bf16(bf16_of_float(NAN))));
}

}  // namespace
}  // namespace lathe
