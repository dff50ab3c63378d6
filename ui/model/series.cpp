// Chunks of 1024 points with 32 groups each: two levels are enough, because a plot of ten million
// points then reads ten thousand chunk summaries.
#include "ui/model/series.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::ui {

namespace {

// NaN does not take part in comparisons; it survives only where nothing else is there.
double smaller(double a, double b) {
  return std::isnan(a) ? b : (std::isnan(b) ? a : std::min(a, b));
}
double larger(double a, double b) {
  return std::isnan(a) ? b : (std::isnan(b) ? a : std::max(a, b));
}

}  // namespace

Bucket Series::merge(const Bucket* buckets, std::size_t count) {
  Bucket out = buckets[0];
  for (std::size_t i = 1; i < count; ++i) {
    out.min = smaller(out.min, buckets[i].min);
    out.max = larger(out.max, buckets[i].max);
    out.last = buckets[i].last;
  }
  return out;
}

const Bucket& Series::at(std::size_t index) const {
  const std::size_t chunk = index / kChunk;
  return chunk < sealed_.size() ? sealed_[chunk]->points[index % kChunk]
                                : tail_[index - sealed_.size() * kChunk];
}

std::size_t Series::upper_bound(double step) const {
  std::size_t low = 0;
  std::size_t high = size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (at(middle).x > step) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

void Series::seal() {
  auto chunk = std::make_shared<Chunk>();
  chunk->points = std::move(tail_);
  for (std::size_t g = 0; g < chunk->groups.size(); ++g) {
    chunk->groups[g] = merge(&chunk->points[g * kGroup], kGroup);
  }
  chunk->whole = merge(chunk->groups.data(), chunk->groups.size());
  sealed_.push_back(std::move(chunk));
  tail_.clear();
}

void Series::cut_from(double step) {
  std::size_t keep = upper_bound(step);
  while (keep > 0 && at(keep - 1).x >= step) {
    --keep;
  }
  if (keep < sealed_.size() * kChunk) {
    const std::size_t chunk = keep / kChunk;
    tail_.assign(sealed_[chunk]->points.begin(),
                 sealed_[chunk]->points.begin() + static_cast<std::ptrdiff_t>(keep % kChunk));
    sealed_.resize(chunk);
  } else {
    tail_.resize(keep - sealed_.size() * kChunk);
  }
}

void Series::append(double step, double value) {
  append(Bucket{.x = step, .min = value, .max = value, .last = value});
}

void Series::append(const Bucket& bucket) {
  if (!empty() && bucket.x < last_step()) {
    cut_from(bucket.x);
  }
  tail_.push_back(bucket);
  if (tail_.size() == kChunk) {
    seal();
  }
}

double Series::first_step() const {
  return empty() ? 0 : at(0).x;
}
double Series::last_step() const {
  return empty() ? 0 : at(size() - 1).x;
}
double Series::last_value() const {
  return empty() ? std::numeric_limits<double>::quiet_NaN() : at(size() - 1).last;
}

double Series::min_value() const {
  double out = std::numeric_limits<double>::quiet_NaN();
  for (const auto& chunk : sealed_) {
    out = smaller(out, chunk->whole.min);
  }
  for (const Bucket& point : tail_) {
    out = smaller(out, point.min);
  }
  return out;
}

double Series::max_value() const {
  double out = std::numeric_limits<double>::quiet_NaN();
  for (const auto& chunk : sealed_) {
    out = larger(out, chunk->whole.max);
  }
  for (const Bucket& point : tail_) {
    out = larger(out, point.max);
  }
  return out;
}

double Series::value_at(double step, double fallback) const {
  const std::size_t after = upper_bound(step);
  return after == 0 ? fallback : at(after - 1).last;
}

void Series::merge_range(std::size_t from, std::size_t to, std::size_t width,
                         std::vector<Bucket>& out) const {
  for (std::size_t begin = from; begin < to;) {
    // Buckets start at multiples of their width, so that they do not shimmer while one pans.
    const std::size_t end = std::min(to, (begin / width + 1) * width);
    Bucket bucket = at(begin);
    std::size_t i = begin;
    while (i < end) {
      const std::size_t chunk = i / kChunk;
      Bucket part = at(i);
      if (chunk < sealed_.size() && i % kChunk == 0 && i + kChunk <= end) {
        part = sealed_[chunk]->whole;
        i += kChunk;
      } else if (chunk < sealed_.size() && i % kGroup == 0 && i + kGroup <= end) {
        part = sealed_[chunk]->groups[i % kChunk / kGroup];
        i += kGroup;
      } else {
        ++i;
      }
      bucket.min = smaller(bucket.min, part.min);
      bucket.max = larger(bucket.max, part.max);
      bucket.last = part.last;
    }
    out.push_back(bucket);
    begin = end;
  }
}

std::vector<Bucket> Series::sample(double from, double to, std::size_t columns) const {
  std::vector<Bucket> out;
  if (empty() || columns == 0) {
    return out;
  }
  std::size_t first = upper_bound(from);
  first = first > 0 ? first - 1 : 0;
  const std::size_t last = std::min(size(), upper_bound(to) + 1);
  std::size_t width = 1;
  while ((last - first) / width > 2 * columns) {
    width *= 2;
  }
  out.reserve((last - first) / width + 2);
  merge_range(first, last, width, out);
  return out;
}

}  // namespace lathe::ui
