// A metric's points for drawing: chunks that are shared between snapshots and never change, each
// with a min/max pyramid, so that millions of points pan and zoom at full frame rate and a spike of
// one step is never lost.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace lathe::ui {

// What one pixel column (or one raw point: min == max == last) shows.
struct Bucket {
  double x = 0;  // step of the first point
  double min = 0;
  double max = 0;
  double last = 0;
};

class Series {
 public:
  static constexpr std::size_t kGroup = 32;
  static constexpr std::size_t kChunk = 1024;

  // Steps must not fall; a point whose step is smaller than the last one's begins a new course (a
  // run that resumed from a checkpoint): the points from that step on are dropped first.
  void append(double step, double value);
  // A point that stands for several (a bucket of the store).
  void append(const Bucket& bucket);

  std::size_t size() const { return sealed_.size() * kChunk + tail_.size(); }
  bool empty() const { return size() == 0; }
  double first_step() const;
  double last_step() const;
  double last_value() const;
  double min_value() const;
  double max_value() const;

  // The value in force at a step: that of the last point not after it; `fallback` before the first.
  double value_at(double step, double fallback) const;

  // At most about 2 * `columns` buckets that cover [from, to], the neighbours on both sides
  // included so that lines run to the edge. Non-finite values are kept in min and max.
  std::vector<Bucket> sample(double from, double to, std::size_t columns) const;

 private:
  struct Chunk {
    std::vector<Bucket> points;  // kChunk
    std::array<Bucket, kChunk / kGroup> groups;
    Bucket whole;
  };
  static Bucket merge(const Bucket* buckets, std::size_t count);
  const Bucket& at(std::size_t index) const;
  // Index of the first point whose step is greater than `step`.
  std::size_t upper_bound(double step) const;
  void seal();
  void cut_from(double step);
  // Appends the merged points of [from, to) to `out`, `width` of them at a time.
  void merge_range(std::size_t from, std::size_t to, std::size_t width,
                   std::vector<Bucket>& out) const;

  std::vector<std::shared_ptr<const Chunk>> sealed_;
  std::vector<Bucket> tail_;
};

}  // namespace lathe::ui
