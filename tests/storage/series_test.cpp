// Series: nothing is lost or invented by chunks, tails, truncation and the pyramid.
#include <bit>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include "engine/base/hash.h"
#include "storage/columns.h"
#include "storage/layouts.h"
#include "storage/open_database.h"
#include "storage/recorder.h"
#include "tests/storage/store_fixture.h"

namespace lathe::storage {
namespace {

using experiments::MetricPoint;

TEST(Columns, EveryBitComesBack) {
  Columns columns(2);
  for (std::uint64_t row = 0; row < 5000; ++row) {
    columns[0].push_back(row * 3);
    columns[1].push_back(row * 0x9E3779B97F4A7C15u);
  }
  columns[1][7] = std::bit_cast<std::uint64_t>(std::numeric_limits<double>::quiet_NaN()) | 77;
  const Bytes blob = encode_columns(columns);
  const auto read = decode_columns(blob, 2, 5000);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, columns);
}

TEST(Columns, RegularStepsShrinkToAlmostNothing) {
  Columns columns(1);
  for (std::uint64_t row = 0; row < 1024; ++row) {
    columns[0].push_back(1'000'000 + row * 10);
  }
  EXPECT_LT(encode_columns(columns).size(), 100u);
}

TEST(Columns, ADamagedBlobIsAnErrorNotACrash) {
  const Columns columns(3, std::vector<std::uint64_t>(100, 42));
  const Bytes good = encode_columns(columns);
  EXPECT_FALSE(decode_columns(good, 3, 101).ok());
  EXPECT_FALSE(decode_columns(good, 2, 100).ok());
  EXPECT_FALSE(decode_columns(good, 3, -1).ok());
  EXPECT_FALSE(decode_columns(good, 3, INT64_MAX).ok());
  EXPECT_FALSE(decode_columns({}, 3, 100).ok());
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(decode_columns(std::span(good).first(cut), 3, 100).ok()) << cut;
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= std::byte{0x55};
    (void)decode_columns(bad, 3,
                         100);  // may be right by chance in the checked sizes, never a crash
  }
}

class SeriesTest : public StoreTest {
 protected:
  SeriesTest() : connection_(open_for_writing(file_, std::chrono::seconds(5))) {
    Recorder recorder(*connection_);
    recorder.apply(created("aaaaaaaaaa"));
    recorder.finish_transaction();
    connection_->run("INSERT INTO series (id) VALUES ('train/loss')");
  }

  Series series() { return Series(*connection_, 1, 1, kPointLayout); }

  void append(Series& series, std::int64_t step, double value) {
    series.append(point_words({"", step, value, step * 2}));
    expected_.erase(expected_.lower_bound(step), expected_.end());
    expected_[step] = value;
  }

  void expect_all_rows() {
    std::map<std::int64_t, double> read;
    visit_series(*connection_, 1, 1, kPointLayout, 0, INT64_MIN, INT64_MAX,
                 [&](const Columns& columns, std::size_t row, bool raw) {
                   ASSERT_TRUE(raw);
                   const MetricPoint point = point_at(columns, row);
                   EXPECT_EQ(point.time_ms, point.step * 2);
                   EXPECT_TRUE(read.emplace(point.step, point.value).second) << point.step;
                 });
    EXPECT_EQ(read, expected_);
  }

  // At every level the rows over [first, last] must sum up the very points of that range.
  void expect_range(std::int64_t first, std::int64_t last) {
    double lowest = std::numeric_limits<double>::infinity();
    double highest = -lowest;
    for (auto at = expected_.lower_bound(first); at != expected_.upper_bound(last); ++at) {
      lowest = std::min(lowest, at->second);
      highest = std::max(highest, at->second);
    }
    for (int level = 0; level < 6; ++level) {
      double min = std::numeric_limits<double>::infinity();
      double max = -min;
      std::int64_t covered = first - 1;
      visit_series(*connection_, 1, 1, kPointLayout, level, first, last,
                   [&](const Columns& columns, std::size_t row, bool raw) {
                     const Bucket bucket = bucket_at(columns, row, raw);
                     EXPECT_GT(bucket.first_step, covered);
                     covered = bucket.last_step;
                     min = std::min(min, bucket.min);
                     max = std::max(max, bucket.max);
                   });
      EXPECT_LE(covered, last);
      EXPECT_EQ(min, lowest) << "level " << level;
      EXPECT_EQ(max, highest) << "level " << level;
    }
  }

  std::unique_ptr<Connection> connection_;
  std::map<std::int64_t, double> expected_;
};

TEST_F(SeriesTest, PointsOfAnyNumberComeBackInWhateverPortionsTheyWereSaved) {
  Series writing = series();
  std::int64_t step = 0;
  for (const int portion : {1, 31, 1, 1, 500, 489, 1, 1024, 3000, 7, 20000}) {
    for (int i = 0; i < portion; ++i) {
      ++step;
      append(writing, step * 3, std::sin(static_cast<double>(step)));
    }
    writing.save();
    expect_all_rows();
  }
  EXPECT_EQ(writing.count(), step);
}

TEST_F(SeriesTest, RangesAreExactAtEveryLevel) {
  Series writing = series();
  for (std::int64_t step = 0; step < 40'000; ++step) {
    append(writing, step, static_cast<double>((step * 7919) % 10'007));
  }
  writing.save();
  expect_range(0, 39'999);
  expect_range(5, 39'990);
  expect_range(1023, 1024);
  expect_range(16'383, 33'000);
  expect_range(39'999, 39'999);
}

TEST_F(SeriesTest, AnotherWriterGoesOnWhereTheFirstStopped) {
  for (std::int64_t begin = 0; begin < 20'000; begin += 333) {
    Series writing = series();
    for (std::int64_t step = begin; step < begin + 333; ++step) {
      append(writing, step, static_cast<double>((step * 31) % 1'009));
    }
    writing.save();
  }
  expect_all_rows();
  expect_range(100, 19'000);
}

TEST_F(SeriesTest, AStepThatComesAgainReplacesWhatFollowed) {
  Series writing = series();
  for (std::int64_t step = 0; step < 40'000; ++step) {
    append(writing, step, 1.0);
  }
  for (const std::int64_t from : {39'990, 38'000, 16'384, 16'000, 1024, 1023, 10, 0}) {
    for (std::int64_t step = from; step < from + 1'500; ++step) {
      append(writing, step, static_cast<double>(from) + 2.0);
    }
    writing.save();
    expect_all_rows();
    expect_range(0, from + 1'500);
  }
}

TEST_F(SeriesTest, EveryChunkKnowsHowManyPointsCameBefore) {
  Series writing = series();
  for (std::int64_t step = 0; step < 16 * kChunkRows; ++step) {
    append(writing, step, 1.0);
  }
  writing.save();
  EXPECT_EQ(series().count(), 16 * kChunkRows);
  EXPECT_EQ(connection_->integer("SELECT count(*) FROM chunks WHERE first_index = first_step"), 17)
      << "16 raw chunks and one above them";
}

TEST_F(SeriesTest, TheTailIsAFewRowsHoweverSlowlyPointsCome) {
  Series writing = series();
  for (std::int64_t step = 0; step < 1'000; ++step) {
    append(writing, step, 1.0);
    writing.save();
  }
  EXPECT_LE(connection_->integer("SELECT count(*) FROM chunks"), 1'000 / kTailRows + 1);
  expect_all_rows();
}

// Bytes that this process has read from files so far.
std::int64_t bytes_read() {
  std::ifstream io("/proc/self/io");
  std::string name;
  std::int64_t bytes = 0;
  io >> name >> bytes;
  return bytes;
}

// A value in [1, 2) of single precision that does not compress.
double noise(std::int64_t step) {
  const std::uint64_t mixed = xxh3(&step, sizeof(step));
  return 1.0 + static_cast<double>(static_cast<float>(mixed >> 41) * 0x1p-23f);
}

TEST_F(SeriesTest, TenMillionPointsOpenFromAFewBytesAndKeepTheirSpikes) {
  constexpr std::int64_t kPoints = 10'000'000;
  constexpr std::int64_t kSpike = 7'654'321;
  constexpr std::int64_t kNan = 2'345'678;
  {
    Transaction transaction(*connection_);
    Series writing = series();
    for (std::int64_t step = 0; step < kPoints; ++step) {
      const double value = step == kSpike ? 1e6
                           : step == kNan ? std::numeric_limits<double>::quiet_NaN()
                                          : noise(step);
      writing.append(point_words({"", step, value, step}));
    }
    writing.save();
    connection_->run("INSERT INTO summaries (run, series, count, last_step) VALUES (1, 1, ?, ?)",
                     {kPoints, kPoints - 1});
    transaction.commit();
  }
  connection_.reset();
  auto reading = catalog();
  const std::int64_t before = bytes_read();
  const auto curve = value_of(reading->curve("aaaaaaaaaa", "train/loss", 0, kPoints, 2000));
  const std::int64_t whole = bytes_read() - before;
  EXPECT_GT(curve.size(), 1'900u);
  EXPECT_LE(curve.size(), 2'000u);
  double highest = 0;
  std::int64_t non_finite = 0;
  for (const CurvePoint& point : curve) {
    highest = std::max(highest, point.max);
    non_finite += point.non_finite;
    EXPECT_LT(point.min, 1.01);
    EXPECT_GT(point.max, 1.99);
  }
  EXPECT_EQ(highest, 1e6);
  EXPECT_EQ(non_finite, 1);
  ASSERT_GT(before, 0) << "/proc/self/io is not there";
  EXPECT_LT(whole, 4 << 20);
  EXPECT_GT(std::filesystem::file_size(file_), 16u << 20);

  const std::int64_t zoom_before = bytes_read();
  const auto zoomed =
      value_of(reading->curve("aaaaaaaaaa", "train/loss", kSpike - 500, kSpike + 499, 2000));
  EXPECT_LT(bytes_read() - zoom_before, 1 << 20);
  ASSERT_EQ(zoomed.size(), 1'000u);
  EXPECT_EQ(zoomed[500].max, 1e6);
  EXPECT_EQ(zoomed[500].step, kSpike);
}

}  // namespace
}  // namespace lathe::storage
