// Columns of 64-bit words to and from a compact blob: each column as differences of neighbours,
// bytes of equal weight together, then zstd. Steps and times shrink to almost nothing, values of
// single precision to about half; every bit comes back, NaN payloads included.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/result.h"
#include "storage/sqlite/connection.h"

namespace lathe::storage {

// columns[c][r]; all columns have the same number of rows.
using Columns = std::vector<std::vector<std::uint64_t>>;

// Rows of one blob at most: a reader refuses more, whatever the file says.
inline constexpr std::int64_t kMaxBlobRows = std::int64_t{1} << 24;

Bytes encode_columns(const Columns& columns);

// kStore if the blob does not hold `column_count` columns of `rows` rows.
Result<Columns> decode_columns(std::span<const std::byte> blob, std::size_t column_count,
                               std::int64_t rows);

}  // namespace lathe::storage
