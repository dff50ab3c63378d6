// See columns.h. Layout of a blob: one zstd frame of column_count planes; a plane is the column's
// differences (first word as it is, wrapping), byte 0 of all rows, then byte 1 of all rows, ...
#include "storage/columns.h"

#include <zstd.h>

#include "engine/base/check.h"

namespace lathe::storage {
namespace {

constexpr int kZstdLevel = 1;
constexpr std::size_t kWordBytes = 8;

Error damaged_blob(const char* what) {
  return {ErrorKind::kStore,
          std::string("a block of points in the store is damaged (") + what + ")",
          "`lathe doctor` checks the whole file; the other runs can still be read"};
}

}  // namespace

Bytes encode_columns(const Columns& columns) {
  const std::size_t rows = columns.empty() ? 0 : columns.front().size();
  Bytes planes(columns.size() * rows * kWordBytes);
  std::byte* out = planes.data();
  for (const std::vector<std::uint64_t>& column : columns) {
    CHECK(column.size() == rows, "columns of unequal length");
    std::uint64_t before = 0;
    for (std::size_t row = 0; row < rows; ++row) {
      const std::uint64_t difference = column[row] - before;
      before = column[row];
      for (std::size_t byte = 0; byte < kWordBytes; ++byte) {
        out[byte * rows + row] = static_cast<std::byte>(difference >> (8 * byte));
      }
    }
    out += rows * kWordBytes;
  }
  Bytes blob(ZSTD_compressBound(planes.size()));
  const std::size_t size =
      ZSTD_compress(blob.data(), blob.size(), planes.data(), planes.size(), kZstdLevel);
  CHECK(ZSTD_isError(size) == 0, "zstd refused a buffer of the size it asked for");
  blob.resize(size);
  return blob;
}

Result<Columns> decode_columns(std::span<const std::byte> blob, std::size_t column_count,
                               std::int64_t rows) {
  if (rows < 0 || rows > kMaxBlobRows) {
    return damaged_blob("row count out of range");
  }
  const auto row_count = static_cast<std::size_t>(rows);
  const std::size_t expected = column_count * row_count * kWordBytes;
  if (ZSTD_getFrameContentSize(blob.data(), blob.size()) != expected) {
    return damaged_blob("size does not match its row count");
  }
  Bytes planes(expected);
  if (ZSTD_decompress(planes.data(), planes.size(), blob.data(), blob.size()) != expected) {
    return damaged_blob("cannot be decompressed");
  }
  Columns columns(column_count, std::vector<std::uint64_t>(row_count));
  const std::byte* in = planes.data();
  for (std::vector<std::uint64_t>& column : columns) {
    std::uint64_t before = 0;
    for (std::size_t row = 0; row < row_count; ++row) {
      std::uint64_t difference = 0;
      for (std::size_t byte = 0; byte < kWordBytes; ++byte) {
        difference |= static_cast<std::uint64_t>(in[byte * row_count + row]) << (8 * byte);
      }
      before += difference;
      column[row] = before;
    }
    in += row_count * kWordBytes;
  }
  return columns;
}

}  // namespace lathe::storage
