// See series.h: the reading half.
#include <algorithm>
#include <limits>

#include "storage/series.h"

namespace lathe::storage {
namespace {

struct Chunk {
  std::int64_t last_step = 0;
  std::int64_t count = 0;
  Bytes data;
};

// One traversal: what does not change from level to level.
struct Traversal {
  Connection& connection;
  std::int64_t run;
  std::int64_t key;
  const SeriesLayout& layout;
  const RowVisitor& visit;

  void range(int level, std::int64_t first_step, std::int64_t last_step) const;
  void rows_of_chunk(int level, const Columns& columns, std::int64_t first_step,
                     std::int64_t last_step) const;
};

// Chunks of a level that overlap the range, in order. They are read one at a time by their start,
// so that no statement stays open while finer levels are read.
bool next_chunk(Connection& connection, std::int64_t run, std::int64_t key, int level,
                std::int64_t from_step, std::int64_t last_step, Chunk& out) {
  // The chunk that begins at or before from_step, else the first after it.
  Statement& before = connection.prepare(
      "SELECT last_step, count, data FROM chunks WHERE run = ? AND series = ? AND level = ? "
      "AND first_step <= ? ORDER BY first_step DESC LIMIT 1",
      {run, key, std::int64_t{level}, from_step});
  const auto take = [&out](Statement& row) {
    const std::span<const std::byte> data = row.blob(2);
    out = {row.integer(0), row.integer(1), Bytes(data.begin(), data.end())};
    row.reset();
  };
  if (before.step() && before.integer(0) >= from_step) {
    take(before);
    return true;
  }
  before.reset();
  Statement& after = connection.prepare(
      "SELECT last_step, count, data FROM chunks WHERE run = ? AND series = ? AND level = ? "
      "AND first_step > ? AND first_step <= ? ORDER BY first_step LIMIT 1",
      {run, key, std::int64_t{level}, from_step, last_step});
  const bool found = after.step();
  if (found) {
    take(after);
  }
  after.reset();
  return found;
}

void Traversal::rows_of_chunk(int level, const Columns& columns, std::int64_t first_step,
                              std::int64_t last_step) const {
  const bool raw = level == 0;
  const std::vector<std::uint64_t>& first = columns[0];
  const std::vector<std::uint64_t>& last = columns[raw ? 0 : 1];
  for (std::size_t row = 0; row < first.size(); ++row) {
    const auto row_first = static_cast<std::int64_t>(first[row]);
    const auto row_last = static_cast<std::int64_t>(last[row]);
    if (row_last < first_step || row_first > last_step) {
      continue;
    }
    if (row_first >= first_step && row_last <= last_step) {
      visit(columns, row, raw);
    } else {  // straddles an end of the range: its finer rows
      range(level - 1, std::max(row_first, first_step), std::min(row_last, last_step));
    }
  }
}

void Traversal::range(int level, std::int64_t first_step, std::int64_t last_step) const {
  std::int64_t from = first_step;
  Chunk chunk;
  while (from <= last_step && next_chunk(connection, run, key, level, from, last_step, chunk)) {
    const Result<Columns> columns = decode_chunk(layout, level, chunk.data, chunk.count);
    if (!columns.ok()) {
      throw SqlFailure(columns.error());
    }
    rows_of_chunk(level, *columns, from, last_step);
    if (chunk.last_step < from || chunk.last_step == INT64_MAX) {
      return;  // a damaged row would have us read for ever
    }
    from = chunk.last_step + 1;
  }
  if (level > 0 && from <= last_step) {  // what this level does not stand for yet
    range(level - 1, from, last_step);
  }
}

// The number of raw rows with a step below `step`, to within one chunk.
std::int64_t rows_before(Connection& connection, std::int64_t run, std::int64_t key,
                         std::int64_t step) {
  return connection.integer(
      "SELECT CASE WHEN last_step < ? THEN first_index + count ELSE first_index END FROM chunks "
      "WHERE run = ? AND series = ? AND level = 0 AND first_step <= ? "
      "ORDER BY first_step DESC LIMIT 1",
      {step, run, key, step});
}

}  // namespace

// A blob says its size, so one that lacks columns is told from one that is damaged.
Result<Columns> decode_chunk(const SeriesLayout& layout, int level, std::span<const std::byte> blob,
                             std::int64_t count) {
  const std::int64_t rows = count > kChunkRows ? -1 : count;
  const std::size_t width = level == 0 ? layout.raw_columns : layout.coarse_columns;
  Result<Columns> columns = decode_columns(blob, width, rows);
  if (columns || layout.added_columns == 0) {
    return columns;
  }
  Result<Columns> older = decode_columns(blob, width - layout.added_columns, rows);
  if (!older) {
    return columns;
  }
  older->resize(width, std::vector<std::uint64_t>(static_cast<std::size_t>(count), kAbsentWord));
  return older;
}

void visit_series(Connection& connection, std::int64_t run, std::int64_t key,
                  const SeriesLayout& layout, int level, std::int64_t first_step,
                  std::int64_t last_step, const RowVisitor& visit) {
  Traversal{connection, run, key, layout, visit}.range(level, first_step, last_step);
}

int level_for(Connection& connection, std::int64_t run, std::int64_t key, std::int64_t first_step,
              std::int64_t last_step, std::int64_t rows) {
  const std::int64_t until = last_step == INT64_MAX ? last_step : last_step + 1;
  std::int64_t in_range =
      rows_before(connection, run, key, until) - rows_before(connection, run, key, first_step);
  int level = 0;
  while (in_range / kFanOut >= std::max<std::int64_t>(rows, 1)) {
    in_range /= kFanOut;
    ++level;
  }
  return level;
}

}  // namespace lathe::storage
