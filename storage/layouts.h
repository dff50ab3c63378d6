// The two kinds of series: a metric's points and a run's memory samples, to and from rows of words.
#pragma once

#include <cstdint>
#include <vector>

#include "experiments/events.h"
#include "storage/series.h"

namespace lathe::storage {

// Raw columns: step, bits of the value, time. Coarse columns: see Bucket.
extern const SeriesLayout kPointLayout;
// Raw columns: see memory_words. Coarse: first and last step, then the raw columns of the sample
// with the highest peak among those it stands for.
extern const SeriesLayout kMemoryLayout;

// A coarse row of points. min and max are over the finite values, NaN if there is none.
struct Bucket {
  std::int64_t first_step = 0;
  std::int64_t last_step = 0;
  double min = 0;
  double max = 0;
  double last = 0;
  std::int64_t non_finite = 0;
};

// Also of a raw row: a bucket of one.
Bucket bucket_at(const Columns& columns, std::size_t row, bool raw);
// Widens `into` by the bucket that follows it.
void merge(const Bucket& next, Bucket& into);

std::vector<std::uint64_t> point_words(const experiments::MetricPoint& point);
experiments::MetricPoint point_at(const Columns& columns, std::size_t row);

std::vector<std::uint64_t> memory_words(const experiments::MemorySample& sample);
experiments::MemorySample memory_at(const Columns& columns, std::size_t row, bool raw);

}  // namespace lathe::storage
