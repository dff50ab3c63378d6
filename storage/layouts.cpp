// See layouts.h.
#include "storage/layouts.h"

#include <bit>
#include <cmath>
#include <limits>

namespace lathe::storage {
namespace {

using experiments::MemorySample;
using experiments::MetricPoint;

constexpr std::size_t kPointColumns = 3;
constexpr std::size_t kBucketColumns = 6;
constexpr std::size_t kSnapshotColumns = 1 + kCategoryCount;
constexpr std::size_t kPeakColumn = 4 + kSnapshotColumns;
constexpr std::size_t kDeviceColumn = kPeakColumn + kSnapshotColumns;
constexpr std::size_t kMemoryColumns = kDeviceColumn + 1;

std::uint64_t word(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}
std::int64_t whole(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

void reduce_points(const Columns& in, bool raw, std::size_t begin, std::size_t end, Columns& out) {
  Bucket bucket = bucket_at(in, begin, raw);
  for (std::size_t row = begin + 1; row < end; ++row) {
    merge(bucket_at(in, row, raw), bucket);
  }
  const std::uint64_t words[kBucketColumns] = {word(bucket.first_step),
                                               word(bucket.last_step),
                                               std::bit_cast<std::uint64_t>(bucket.min),
                                               std::bit_cast<std::uint64_t>(bucket.max),
                                               std::bit_cast<std::uint64_t>(bucket.last),
                                               word(bucket.non_finite)};
  for (std::size_t c = 0; c < kBucketColumns; ++c) {
    out[c].push_back(words[c]);
  }
}

void reduce_memory(const Columns& in, bool raw, std::size_t begin, std::size_t end, Columns& out) {
  const std::size_t shift = raw ? 0 : 2;
  std::size_t highest = begin;
  for (std::size_t row = begin + 1; row < end; ++row) {
    if (whole(in[shift + kPeakColumn][row]) >= whole(in[shift + kPeakColumn][highest])) {
      highest = row;
    }
  }
  out[0].push_back(in[0][begin]);
  out[1].push_back(in[raw ? 0 : 1][end - 1]);
  for (std::size_t c = 0; c < kMemoryColumns; ++c) {
    out[2 + c].push_back(in[shift + c][highest]);
  }
}

void add_snapshot(const LedgerSnapshot& snapshot, std::vector<std::uint64_t>& words) {
  words.push_back(word(snapshot.live_bytes));
  for (const std::int64_t bytes : snapshot.by_category) {
    words.push_back(word(bytes));
  }
}

LedgerSnapshot snapshot_at(const Columns& columns, std::size_t column, std::size_t row) {
  LedgerSnapshot snapshot;
  snapshot.live_bytes = whole(columns[column][row]);
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    snapshot.by_category[i] = whole(columns[column + 1 + i][row]);
  }
  return snapshot;
}

}  // namespace

const SeriesLayout kPointLayout{.raw_columns = kPointColumns,
                                .coarse_columns = kBucketColumns,
                                .added_columns = 0,
                                .reduce = reduce_points};
// Before version 3 of the tables a sample ended with its peak.
const SeriesLayout kMemoryLayout{.raw_columns = kMemoryColumns,
                                 .coarse_columns = kMemoryColumns + 2,
                                 .added_columns = 1,
                                 .reduce = reduce_memory};

Bucket bucket_at(const Columns& columns, std::size_t row, bool raw) {
  if (!raw) {
    return {whole(columns[0][row]),
            whole(columns[1][row]),
            std::bit_cast<double>(columns[2][row]),
            std::bit_cast<double>(columns[3][row]),
            std::bit_cast<double>(columns[4][row]),
            whole(columns[5][row])};
  }
  const std::int64_t step = whole(columns[0][row]);
  const double value = std::bit_cast<double>(columns[1][row]);
  const bool finite = std::isfinite(value);
  const double shown = finite ? value : std::numeric_limits<double>::quiet_NaN();
  return {step, step, shown, shown, value, finite ? 0 : 1};
}

void merge(const Bucket& next, Bucket& into) {
  into.last_step = next.last_step;
  into.min = std::fmin(into.min, next.min);  // fmin and fmax pass over a NaN
  into.max = std::fmax(into.max, next.max);
  into.last = next.last;
  into.non_finite += next.non_finite;
}

std::vector<std::uint64_t> point_words(const MetricPoint& point) {
  return {word(point.step), std::bit_cast<std::uint64_t>(point.value), word(point.time_ms)};
}

MetricPoint point_at(const Columns& columns, std::size_t row) {
  MetricPoint point;
  point.step = whole(columns[0][row]);
  point.value = std::bit_cast<double>(columns[1][row]);
  point.time_ms = whole(columns[2][row]);
  return point;
}

std::vector<std::uint64_t> memory_words(const MemorySample& sample) {
  std::vector<std::uint64_t> words{word(sample.step), word(sample.time_ms), word(sample.pool_bytes),
                                   word(sample.process_bytes)};
  words.reserve(kMemoryColumns);
  add_snapshot(sample.live, words);
  add_snapshot(sample.peak, words);
  words.push_back(sample.device_used_bytes ? word(*sample.device_used_bytes) : kAbsentWord);
  return words;
}

MemorySample memory_at(const Columns& columns, std::size_t row, bool raw) {
  const std::size_t shift = raw ? 0 : 2;
  MemorySample sample;
  sample.step = whole(columns[shift][row]);
  sample.time_ms = whole(columns[shift + 1][row]);
  sample.pool_bytes = whole(columns[shift + 2][row]);
  sample.process_bytes = whole(columns[shift + 3][row]);
  sample.live = snapshot_at(columns, shift + 4, row);
  sample.peak = snapshot_at(columns, shift + kPeakColumn, row);
  if (const std::uint64_t used = columns[shift + kDeviceColumn][row]; used != kAbsentWord) {
    sample.device_used_bytes = whole(used);
  }
  return sample;
}

}  // namespace lathe::storage
