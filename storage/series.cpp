// See series.h: the writing half. Reading is in series_reader.cpp.
#include "storage/series.h"

#include <bit>

#include "engine/base/check.h"

namespace lathe::storage {
namespace {

constexpr auto kChunk = static_cast<std::size_t>(kChunkRows);

std::size_t rows_of(const Columns& columns) {
  return columns.front().size();
}

std::int64_t signed_word(std::uint64_t word) {
  return static_cast<std::int64_t>(word);
}

Columns slice(const Columns& columns, std::size_t begin, std::size_t end) {
  Columns out;
  out.reserve(columns.size());
  for (const std::vector<std::uint64_t>& column : columns) {
    out.emplace_back(column.begin() + static_cast<std::ptrdiff_t>(begin),
                     column.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return out;
}

void append_all(const Columns& from, Columns& to) {
  for (std::size_t c = 0; c < to.size(); ++c) {
    to[c].insert(to[c].end(), from[c].begin(), from[c].end());
  }
}

Columns decoded(Statement& row, int data_column, const SeriesLayout& layout, int level,
                std::int64_t count) {
  Result<Columns> rows = decode_chunk(layout, level, row.blob(data_column), count);
  if (!rows.ok()) {
    throw SqlFailure(rows.error());
  }
  return std::move(*rows);
}

}  // namespace

Series::Series(Connection& connection, std::int64_t run, std::int64_t key,
               const SeriesLayout& layout)
    : connection_(connection), run_(run), key_(key), layout_(layout) {
  load();
}

Columns& Series::pending(int level) {
  while (pending_.size() <= static_cast<std::size_t>(level)) {
    pending_.emplace_back(pending_.empty() ? layout_.raw_columns : layout_.coarse_columns);
  }
  return pending_[static_cast<std::size_t>(level)];
}

void Series::load() {
  pending_.clear();
  tail_start_ = 0;
  count_ = 0;
  last_step_ = INT64_MIN;
  std::vector<std::int64_t> covered;  // per level: the last step of its last chunk
  for (int level = 0;; ++level) {
    Statement& row = connection_.prepare(
        "SELECT last_step, first_index, count FROM chunks WHERE run = ? AND series = ? "
        "AND level = ? ORDER BY first_step DESC LIMIT 1",
        {run_, key_, std::int64_t{level}});
    if (!row.step()) {
      row.reset();
      break;
    }
    covered.push_back(row.integer(0));
    if (level == 0) {
      last_step_ = row.integer(0);
      count_ = row.integer(1) + row.integer(2);
    }
    row.reset();
  }
  pending(0);
  for (std::size_t level = 0; level < covered.size(); ++level) {
    const bool topmost = level + 1 == covered.size();
    load_level(static_cast<int>(level), topmost ? INT64_MIN : covered[level + 1]);
  }
  saved_rows_ = rows_of(pending_[0]);
}

// Takes the chunks of a level that the next level does not stand for yet: a full one is reduced
// into the next level's pending rows, the others are the tail.
void Series::load_level(int level, std::int64_t after) {
  Statement& row = connection_.prepare(
      "SELECT count, data FROM chunks WHERE run = ? AND series = ? AND level = ? "
      "AND first_step > ? ORDER BY first_step",
      {run_, key_, std::int64_t{level}, after});
  while (row.step()) {
    const std::int64_t count = row.integer(0);
    const Columns columns = decoded(row, 1, layout_, level, count);
    if (count == kChunkRows) {
      Columns& next = pending(level + 1);
      for (std::size_t begin = 0; begin < kChunk; begin += kFanOut) {
        layout_.reduce(columns, level == 0, begin, begin + kFanOut, next);
      }
    } else if (level == 0) {
      tail_start_ = rows_of(pending_[0]);
      append_all(columns, pending_[0]);
    }
  }
  row.reset();
}

void Series::append(std::span<const std::uint64_t> words) {
  CHECK(words.size() == layout_.raw_columns, "a row of another layout");
  const std::int64_t step = signed_word(words[0]);
  if (step <= last_step_) {
    truncate_after(step - 1);
  }
  for (std::size_t c = 0; c < words.size(); ++c) {
    pending_[0][c].push_back(words[c]);
  }
  last_step_ = step;
  ++count_;
  if (rows_of(pending_[0]) == kChunk) {
    close_chunk(0);
  }
}

void Series::insert(int level, std::size_t begin, std::size_t end, std::int64_t first_index) {
  const Columns& rows = pending_[static_cast<std::size_t>(level)];
  const std::size_t last_step_column = level == 0 ? 0 : 1;
  const Bytes data = encode_columns(slice(rows, begin, end));
  connection_.run(
      "INSERT INTO chunks (run, series, level, first_step, last_step, first_index, count, data) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, series, level, first_step) DO UPDATE SET "
      "last_step = excluded.last_step, count = excluded.count, data = excluded.data",
      {run_, key_, std::int64_t{level}, signed_word(rows[0][begin]),
       signed_word(rows[last_step_column][end - 1]), first_index,
       static_cast<std::int64_t>(end - begin), std::span<const std::byte>(data)});
}

void Series::close_chunk(int level) {
  if (level == 0 && saved_rows_ > 0) {
    connection_.run(
        "DELETE FROM chunks WHERE run = ? AND series = ? AND level = 0 AND first_step >= ?",
        {run_, key_, signed_word(pending_[0][0][0])});
  }
  std::int64_t raw_rows = kChunkRows;
  for (int below = 0; below < level; ++below) {
    raw_rows *= kFanOut;
  }
  insert(level, 0, kChunk, count_ - raw_rows);
  pending(level + 1);  // may move the levels: no reference is held across it
  const Columns full = std::exchange(
      pending(level), Columns(level == 0 ? layout_.raw_columns : layout_.coarse_columns));
  for (std::size_t begin = 0; begin < kChunk; begin += kFanOut) {
    layout_.reduce(full, level == 0, begin, begin + kFanOut, pending(level + 1));
  }
  if (level == 0) {
    tail_start_ = 0;
    saved_rows_ = 0;
  }
  if (rows_of(pending(level + 1)) == kChunk) {
    close_chunk(level + 1);
  }
}

void Series::save() {
  const std::size_t rows = rows_of(pending_[0]);
  if (rows == saved_rows_) {
    return;
  }
  if (saved_rows_ - tail_start_ >= static_cast<std::size_t>(kTailRows)) {
    tail_start_ = saved_rows_;
  }
  insert(0, tail_start_, rows, count_ - static_cast<std::int64_t>(rows - tail_start_));
  saved_rows_ = rows;
}

void Series::truncate_after(std::int64_t step) {
  if (step >= last_step_) {
    return;
  }
  save();
  connection_.run("DELETE FROM chunks WHERE run = ? AND series = ? AND first_step > ?",
                  {run_, key_, step});
  connection_.run("DELETE FROM chunks WHERE run = ? AND series = ? AND level > 0 AND last_step > ?",
                  {run_, key_, step});
  Statement& row = connection_.prepare(
      "SELECT first_index, count, data FROM chunks WHERE run = ? AND series = ? AND level = 0 "
      "AND first_step <= ? AND last_step > ?",
      {run_, key_, step, step});
  const bool cut = row.step();
  if (cut) {
    const std::int64_t first_index = row.integer(0);
    pending_[0] = decoded(row, 2, layout_, 0, row.integer(1));
    row.reset();
    std::size_t keep = 0;
    while (signed_word(pending_[0][0][keep]) <= step) {
      ++keep;
    }
    insert(0, 0, keep, first_index);
  }
  row.reset();
  load();
}

}  // namespace lathe::storage
