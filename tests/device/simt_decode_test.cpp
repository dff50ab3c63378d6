// Stored weights on the simulated device have the very bits that decode_row() gives them.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "engine/backend/device_error.h"
#include "engine/backend/simt/simt_backend.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/half.h"
#include "engine/quant/palette_matrix.h"
#include "engine/quant/stored_matrix.h"

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
    if (!is_packed(dtype) || has_tables(dtype)) {
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

// Of half the rows together, with scales where bits are odd.
std::vector<std::byte> any_palette(DType dtype, std::int64_t width) {
  const PaletteForm form = palette_form(dtype);
  std::uint32_t state = 3;
  const auto next = [&](std::uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % below;
  };
  PaletteParts parts{.bits = form.bits,
                     .dim = form.dim,
                     .rows = kRows,
                     .cols = width,
                     .rows_per_palette = kRows / 2,
                     .clusters = std::int64_t{1} << form.bits};
  for (std::int64_t i = 0; i < kRows * width / form.dim; ++i) {
    parts.codes.push_back(static_cast<std::uint8_t>(next(1u << form.bits)));
  }
  for (std::int64_t i = 0; i < 2 * parts.clusters * form.dim; ++i) {
    parts.lut.push_back(static_cast<float>(next(2001)) / 1000.0f - 1.0f);
  }
  for (std::int64_t row = 0; form.bits % 2 == 1 && row < kRows; ++row) {
    parts.row_scales.push_back(static_cast<float>(next(1000)) / 777.0f);
  }
  return palette_matrix(parts);
}

// A matrix of a type with tables, its parts at random, outliers in two columns of a row.
std::vector<std::byte> any_matrix(DType dtype) {
  std::uint32_t state = 2;
  const auto next = [&](std::uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 16) % below;
  };
  if (spqr_bits(dtype) == 0) {
    std::vector<float> values(static_cast<std::size_t>(kRows * kWidth));
    for (float& value : values) {
      value = static_cast<float>(next(2001)) / 1000.0f - 1.0f;
    }
    std::vector<std::byte> stored(static_cast<std::size_t>(matrix_bytes(dtype, kRows, kWidth)));
    encode_matrix(dtype, values.data(), kRows, kWidth, stored.data());
    return stored;
  }
  SpqrParts parts{.bits = spqr_bits(dtype), .rows = kRows, .cols = kWidth};
  for (std::int64_t i = 0; i < kRows * kWidth; ++i) {
    parts.codes.push_back(static_cast<std::uint8_t>(next(1u << parts.bits)));
    if (i % 16 == 0) {
      parts.scale_codes.push_back(static_cast<std::uint8_t>(next(8)));
      parts.zero_codes.push_back(static_cast<std::uint8_t>(next(8)));
    }
    if (i % 256 == 0) {
      const auto half = [&] { return half_of_float(static_cast<float>(next(1000)) / 777.0f); };
      parts.tiles.push_back({half(), half(), half(), half()});
    }
  }
  for (std::int64_t row = 0; row < kRows; ++row) {
    parts.outliers.push_back({{static_cast<std::uint16_t>(row), half_of_float(0.3f)},
                              {static_cast<std::uint16_t>(1000 - row), half_of_float(-2.7f)}});
  }
  return spqr_matrix(parts);
}

// What the device makes of a matrix [kRows, width], as the product with one.
std::vector<float> decoded_on_device(DType dtype, const std::vector<std::byte>& stored,
                                     std::int64_t width) {
  SimtBackend device(simt::Turns::kAscending);
  std::vector<float> one(static_cast<std::size_t>(kRows * kRows));
  for (std::int64_t i = 0; i < kRows; ++i) {
    one[static_cast<std::size_t>(i * kRows + i)] = 1.0f;
  }
  const Tensor x = on_device(device, DType::kF32, Shape{kRows, kRows}, one.data());
  Tensor w(device.allocator(), dtype, Shape{kRows, width}, {},
           extra_bytes_of(dtype, kRows, width, stored.size()));
  EXPECT_EQ(w.ref().bytes(), static_cast<std::int64_t>(stored.size()));
  device.write(w, stored.data(), w.ref().bytes());
  const Tensor y(device.allocator(), DType::kF32, Shape{kRows, width}, {});
  const Tensor room(device.allocator(), DType::kF32,
                    Shape{packed_matmul_workspace_elements(w, kRows, false, device.parallelism())},
                    {});
  ops::packed_matmul(device, {.x = x, .w = w, .y = y, .workspace = room, .transpose_w = false});
  std::vector<float> got(static_cast<std::size_t>(kRows * width));
  device.read(y, got.data(), y.ref().bytes());
  return got;
}

std::vector<float> decoded_here(DType dtype, const std::vector<std::byte>& stored,
                                std::int64_t width) {
  std::vector<float> values(static_cast<std::size_t>(kRows * width));
  decode_matrix(stored_matrix(dtype, stored.data(), kRows, width), values.data());
  return values;
}

TEST(SimtDecode, HasTheBitsOfDecodePart) {
  for (const DType dtype : {DType::kInt8Row, DType::kNf4Double, DType::kSpqr3, DType::kSpqr4}) {
    const std::vector<std::byte> stored = any_matrix(dtype);
    EXPECT_EQ(decoded_on_device(dtype, stored, kWidth), decoded_here(dtype, stored, kWidth))
        << dtype_name(dtype);
  }
}

TEST(SimtDecode, PalettesHaveTheBitsOfDecodePart) {
  constexpr std::int64_t kFits = 192;  // every number of neighbours
  for (int bits = 1; bits <= kMostPaletteBits; ++bits) {
    for (int dim = 1; dim <= kMostPaletteDim; ++dim) {
      const DType dtype = palette_dtype(bits, dim);
      const std::vector<std::byte> stored = any_palette(dtype, kFits);
      EXPECT_EQ(decoded_on_device(dtype, stored, kFits), decoded_here(dtype, stored, kFits))
          << dtype_name(dtype);
    }
  }
}

TEST(SimtDecode, AnIdOutsideOfTheTableIsAnError) {
  for (const std::int32_t id : {-1, static_cast<std::int32_t>(kRows), 1 << 30}) {
    EXPECT_THROW(looked_up(DType::kQ8_0, any_rows(DType::kQ8_0), {2, id}), DeviceError) << id;
  }
}

}  // namespace
}  // namespace lathe
