// Stored weights on the simulated device have the very bits that decode_row() gives them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/backend/device_error.h"
#include "engine/backend/simt/simt_backend.h"
#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

constexpr std::int64_t kRows = 16;
constexpr std::int64_t kWidth = 1024;

// Bytes at random, but floats that are finite.
std::vector<std::byte> any_rows(DType dtype) {
  const DTypeLayout layout = dtype_layout(dtype);
  std::vector<std::byte> bytes(static_cast<std::size_t>(size_bytes(dtype, kRows * kWidth)));
  std::uint32_t state = 1;
  for (std::byte& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  const bool two = dtype == DType::kQ4_1 || dtype == DType::kQ5_1 || dtype == DType::kQ4_K ||
                   dtype == DType::kQ5_K || group_form(dtype).bits > 0;
  const std::size_t first = dtype == DType::kQ6_K ? 209 : dtype == DType::kNf4 ? 3 : 1;
  for (std::size_t at = first; at < bytes.size();
       at += static_cast<std::size_t>(layout.block_bytes)) {
    bytes[at] &= std::byte{0xbf};
    if (two) {
      bytes[at + 2] &= std::byte{0xbf};
    }
  }
  return bytes;
}

Tensor on_device(Backend& backend, DType dtype, Shape shape, const void* from) {
  Tensor tensor(backend.allocator(), dtype, shape, {});
  backend.write(tensor, from, tensor.ref().bytes());
  return tensor;
}

std::vector<float> looked_up(DType dtype, const std::vector<std::byte>& stored,
                             const std::vector<std::int32_t>& ids) {
  SimtBackend device(simt::Turns::kAscending);
  const auto count = static_cast<std::int64_t>(ids.size());
  const Tensor table = on_device(device, dtype, Shape{kRows, kWidth}, stored.data());
  const Tensor rows = on_device(device, DType::kI32, Shape{count}, ids.data());
  const Tensor out(device.allocator(), DType::kF32, Shape{count, kWidth}, {});
  ops::embedding_forward(device, {.table = table, .ids = rows, .out = out});
  std::vector<float> values(static_cast<std::size_t>(count * kWidth));
  device.read(out, values.data(), out.ref().bytes());
  return values;
}

TEST(SimtDecode, HasTheBitsOfDecodeRow) {
  std::vector<std::int32_t> ids(kRows);
  std::iota(ids.begin(), ids.end(), 0);
  for (int type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (!is_packed(dtype)) {
      continue;
    }
    const std::vector<std::byte> stored = any_rows(dtype);
    std::vector<float> want(static_cast<std::size_t>(kRows * kWidth));
    decode_row(dtype, stored.data(), want.data(), kRows * kWidth);
    const std::vector<float> got = looked_up(dtype, stored, ids);
    EXPECT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0)
        << dtype_name(dtype);
  }
}

TEST(SimtDecode, AnIdOutsideOfTheTableIsAnError) {
  for (const std::int32_t id : {-1, static_cast<std::int32_t>(kRows), 1 << 30}) {
    EXPECT_THROW(looked_up(DType::kQ8_0, any_rows(DType::kQ8_0), {2, id}), DeviceError) << id;
  }
}

}  // namespace
}  // namespace lathe
