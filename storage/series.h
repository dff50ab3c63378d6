// A series of one run (a metric's points, the memory samples) as chunks of 1,024 rows, with a
// pyramid above them: 16 rows of a level become one row of the next, so a curve of any length is
// read at screen resolution from a few rows of SQL. All levels are append-only: a chunk is written
// when it is full, and the rows after the last full chunk are kept in small rows ("the tail") that
// are merged into it, so a killed process leaves everything that was committed.
//
// Steps of a series rise strictly. A step that is recorded again (a run that went on from an older
// checkpoint) replaces everything from that step on.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "storage/columns.h"
#include "storage/sqlite/connection.h"

namespace lathe::storage {

inline constexpr std::int64_t kChunkRows = 1024;
inline constexpr std::int64_t kFanOut = 16;
// A tail row that holds this many rows is left alone; a shorter one is rewritten with what follows.
inline constexpr std::int64_t kTailRows = 32;

inline constexpr std::uint64_t kAbsentWord = UINT64_MAX;

// What the rows of a series mean. Column 0 of a raw row is its step; columns 0 and 1 of a coarse
// row are the first and the last step that it stands for.
struct SeriesLayout {
  std::size_t raw_columns = 0;
  std::size_t coarse_columns = 0;
  // The last of the columns, which chunks of older versions lack; they are read as kAbsentWord.
  std::size_t added_columns = 0;
  // Appends to `out` the coarse row of rows [begin, end) of `in`, raw rows or coarse ones.
  void (*reduce)(const Columns& in, bool raw, std::size_t begin, std::size_t end,
                 Columns& out) = nullptr;
};

// The rows of a chunk, as wide as this version has them. kStore if the blob does not hold them.
Result<Columns> decode_chunk(const SeriesLayout& layout, int level, std::span<const std::byte> blob,
                             std::int64_t count);

// One series, for writing. Belongs to one connection and lives within its transactions: after a
// rollback it must be thrown away and opened again.
class Series {
 public:
  Series(Connection& connection, std::int64_t run, std::int64_t key, const SeriesLayout& layout);

  // Adds a raw row: `words` are its columns.
  void append(std::span<const std::uint64_t> words);
  // Removes the rows with a step above `step`; saves.
  void truncate_after(std::int64_t step);
  // Writes the rows that are not in the database yet.
  void save();

  // Number of raw rows; the step of the last one (INT64_MIN if there is none).
  std::int64_t count() const { return count_; }
  std::int64_t last_step() const { return last_step_; }

 private:
  void load();
  void load_level(int level, std::int64_t after);
  void insert(int level, std::size_t begin, std::size_t end, std::int64_t first_index);
  void close_chunk(int level);
  Columns& pending(int level);

  Connection& connection_;
  std::int64_t run_;
  std::int64_t key_;
  const SeriesLayout& layout_;
  std::vector<Columns> pending_;  // per level: the rows after its last full chunk
  std::size_t tail_start_ = 0;    // in pending_[0]: where the tail row that may grow begins
  std::size_t saved_rows_ = 0;    // in pending_[0]: rows that are in the database
  std::int64_t count_ = 0;
  std::int64_t last_step_ = INT64_MIN;
};

// Calls visit(columns, row, raw) for rows that together stand for exactly the raw rows with a step
// in [first_step, last_step], in order; `level` is the coarsest level used.
using RowVisitor = std::function<void(const Columns& columns, std::size_t row, bool raw)>;
void visit_series(Connection& connection, std::int64_t run, std::int64_t key,
                  const SeriesLayout& layout, int level, std::int64_t first_step,
                  std::int64_t last_step, const RowVisitor& visit);

// The coarsest level that still gives at least `rows` rows over the range (0: raw rows).
int level_for(Connection& connection, std::int64_t run, std::int64_t key, std::int64_t first_step,
              std::int64_t last_step, std::int64_t rows);

}  // namespace lathe::storage
