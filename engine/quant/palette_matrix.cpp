// Palettes to bytes and back.
#include "engine/quant/palette_matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/base/check.h"
#include "engine/quant/half.h"
#include "engine/quant/palette_decode.h"

namespace lathe {
namespace {

template <typename Number>
void append(Number number, std::vector<std::byte>& out) {
  out.resize(out.size() + sizeof number);
  std::memcpy(out.data() + out.size() - sizeof number, &number, sizeof number);
}

}  // namespace

std::vector<std::byte> packed_codes(std::span<const std::uint8_t> codes, int bits) {
  const auto width = static_cast<std::size_t>(bits);
  std::vector<std::byte> packed((codes.size() * width + 7) / 8);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t bit = i * width;
    const unsigned word = unsigned{codes[i]} << bit % 8;
    packed[bit / 8] |= static_cast<std::byte>(word);
    if (word >> 8 != 0) {
      packed[bit / 8 + 1] |= static_cast<std::byte>(word >> 8);
    }
  }
  return packed;
}

std::vector<std::uint8_t> unpacked_codes(std::span<const std::byte> packed, std::size_t count,
                                         int bits) {
  const auto width = static_cast<std::size_t>(bits);
  CHECK(packed.size() == (count * width + 7) / 8, "as many bytes as the codes fill");
  std::vector<std::uint8_t> codes(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t byte = i * width / 8;
    unsigned word = static_cast<unsigned>(packed[byte]);
    if (byte + 1 < packed.size()) {
      word |= static_cast<unsigned>(packed[byte + 1]) << 8;
    }
    codes[i] = static_cast<std::uint8_t>(word >> i * width % 8 & ((1u << bits) - 1));
  }
  return codes;
}

std::vector<std::byte> palette_matrix(const PaletteParts& parts) {
  const StoredType type = palette_dtype(parts.bits, parts.dim);
  const auto dim = static_cast<std::size_t>(parts.dim);
  CHECK(fits_type(type, parts.rows, parts.cols) && parts.rows_per_palette > 0 &&
            parts.rows % parts.rows_per_palette == 0,
        "a palette of whole blocks and whole groups of rows");
  const auto palettes = static_cast<std::size_t>(parts.rows / parts.rows_per_palette);
  const auto clusters = static_cast<std::size_t>(parts.clusters);
  const std::size_t most = std::size_t{1} << parts.bits;
  CHECK(parts.codes.size() * dim == static_cast<std::size_t>(parts.rows * parts.cols) &&
            clusters >= 1 && clusters <= most && parts.lut.size() == palettes * clusters * dim &&
            (parts.row_scales.empty() ||
             parts.row_scales.size() == static_cast<std::size_t>(parts.rows)),
        "a palette's parts are of one matrix");
  std::vector<std::byte> out = packed_codes(parts.codes, parts.bits);
  out.resize((out.size() + 3) / 4 * 4);
  append(static_cast<std::uint32_t>(parts.rows_per_palette), out);
  append(static_cast<std::uint32_t>(parts.row_scales.empty() ? 0 : 1), out);
  for (std::size_t palette = 0; palette < palettes; ++palette) {
    for (std::size_t i = 0; i < most * dim; ++i) {
      const bool there = i < clusters * dim;
      append(half_of_float(there ? parts.lut[palette * clusters * dim + i] : 0.0f), out);
    }
  }
  for (const float scale : parts.row_scales) {
    append(scale, out);
  }
  return out;
}

PaletteParts palette_parts(StoredType type, std::int64_t rows, std::int64_t cols,
                           std::span<const std::byte> bytes) {
  const PaletteForm form = palette_form(type);
  const block::PaletteTables tables(
      {type, reinterpret_cast<const block::Byte*>(bytes.data()), rows, cols});
  const auto codes = static_cast<std::size_t>(rows * cols / form.dim);
  PaletteParts parts{
      .bits = form.bits,
      .dim = form.dim,
      .rows = rows,
      .cols = cols,
      .rows_per_palette = tables.rows_per_palette,
      .codes = unpacked_codes(bytes.first(static_cast<std::size_t>(size_bytes(type, rows * cols))),
                              codes, form.bits),
      .clusters = std::int64_t{1} << form.bits};
  for (std::int64_t row = 0; row < rows; row += tables.rows_per_palette) {
    for (std::int64_t at = 0; at < tables.lut_bytes; at += 2) {
      parts.lut.push_back(block::half_at(tables.lut(row) + at));
    }
  }
  for (std::int64_t row = 0; tables.scaled && row < rows; ++row) {
    parts.row_scales.push_back(tables.scale(row));
  }
  return parts;
}

std::string palette_error(StoredType type, std::int64_t rows, std::int64_t cols,
                          std::span<const std::byte> bytes) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  const std::int64_t least = matrix_bytes(type, rows, cols);
  if (size < least) {
    return "is " + std::to_string(least) + " bytes and tables, not " + std::to_string(size);
  }
  const auto* const head = reinterpret_cast<const block::Byte*>(bytes.data()) + least - 8;
  const std::int64_t rows_per_palette = block::long_word_at(head);
  const std::uint32_t scaled = block::long_word_at(head + 4);
  if (rows_per_palette == 0 || rows % rows_per_palette != 0) {
    return "has palettes of " + std::to_string(rows_per_palette) + " rows each";
  }
  if (scaled > 1) {
    return "says neither that rows have scales nor that they have none";
  }
  const std::int64_t extra = palette_extra_bytes(type, rows, rows_per_palette, scaled == 1);
  if (size != least + extra) {
    return "is " + std::to_string(least + extra) + " bytes with its tables, not " +
           std::to_string(size);
  }
  const std::int64_t luts = extra - (scaled == 1 ? 4 * rows : 0);
  for (std::int64_t at = 0; at < luts; at += 2) {
    if (!std::isfinite(block::half_at(head + 8 + at))) {
      return "has a palette with a value that is not finite, number " + std::to_string(at / 2);
    }
  }
  for (std::int64_t at = luts; at < extra; at += 4) {
    if (!std::isfinite(block::float_at(head + 8 + at))) {
      return "has a scale that is not finite, of row " + std::to_string((at - luts) / 4);
    }
  }
  return "";
}

}  // namespace lathe
