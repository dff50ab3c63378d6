// Packing (Raffel et al. 2020, section 2.1; Krell et al. 2021, section 3): next-fit in a shuffled
// order keeps the order random and rows cheap to find. Positions and first keys keep the samples
// of a row apart, so that each is read as if it were alone.
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/data/batch_source.h"
#include "engine/data/token_source.h"

namespace lathe {
namespace {

// Keeps the shuffles apart from the other draws under the same seed.
constexpr std::uint64_t kOrderStream = 0x0DE2'0000'0000'0000;
constexpr std::int32_t kPaddingId = 0;  // any id: nothing sees it and it has no target

// One part of the data and which of its samples stand together in each row.
class Packing {
 public:
  Packing(const TokenSource& data, Split split, std::int64_t seq_len)
      : tokens_(data.tokens(split)), stream_(data.samples(split)), seq_len_(seq_len) {
    order_.resize(stream_.begins.size() - 1);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    targets_.resize(order_.size());
    for (const std::size_t sample : order_) {
      const auto targets = stream_.targets.subspan(begin_of(sample), length_of(sample));
      targets_[sample] = static_cast<std::int64_t>(targets.size()) -
                         std::count(targets.begin(), targets.end(), kIgnoredTarget);
    }
    fill_rows();
  }

  std::int64_t rows() const { return static_cast<std::int64_t>(row_begins_.size()) - 1; }

  // Forgets the former order (Fisher and Yates, from the corpus' order).
  void shuffle(std::uint64_t seed, std::uint64_t stream) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    Rng rng(seed, stream);
    for (std::size_t left = order_.size(); left > 1; --left) {
      std::swap(order_[left - 1], order_[rng.next_below(left)]);
    }
    fill_rows();
  }

  std::int64_t targets_of(std::int64_t row) const {
    std::int64_t count = 0;
    for (const std::size_t sample : samples_of(row)) {
      count += targets_[sample];
    }
    return count;
  }

  // Writes row `row` as the `place`-th of `out`.
  void write(std::int64_t row, std::int64_t place, const BatchRows& out) const {
    const auto length = static_cast<std::size_t>(seq_len_);
    const std::size_t offset = static_cast<std::size_t>(place) * length;
    std::size_t at = 0;
    for (const std::size_t sample : samples_of(row)) {
      const std::size_t count = length_of(sample);
      const auto ids = tokens_.subspan(begin_of(sample), count);
      const auto targets = stream_.targets.subspan(begin_of(sample), count);
      std::copy(ids.begin(), ids.end(), out.ids.begin() + offset + at);
      std::copy(targets.begin(), targets.end(), out.targets.begin() + offset + at);
      place_sample(offset, at, count, out);
      at += count;
    }
    std::fill_n(out.ids.begin() + offset + at, length - at, kPaddingId);
    std::fill_n(out.targets.begin() + offset + at, length - at, kIgnoredTarget);
    place_sample(offset, at, length - at, out);
  }

 private:
  std::size_t begin_of(std::size_t sample) const {
    return static_cast<std::size_t>(stream_.begins[sample]);
  }
  std::size_t length_of(std::size_t sample) const {
    return static_cast<std::size_t>(stream_.begins[sample + 1] - stream_.begins[sample]);
  }
  std::span<const std::size_t> samples_of(std::int64_t row) const {
    const std::size_t begin = row_begins_[static_cast<std::size_t>(row)];
    return std::span(order_).subspan(begin, row_begins_[static_cast<std::size_t>(row) + 1] - begin);
  }

  // Positions and first keys of `count` tokens that begin at `at` of the row at `offset`.
  static void place_sample(std::size_t offset, std::size_t at, std::size_t count,
                           const BatchRows& out) {
    const auto positions = out.positions.subspan(offset + at, count);
    std::iota(positions.begin(), positions.end(), 0);
    std::fill_n(out.first_key.begin() + offset + at, count, static_cast<std::int32_t>(at));
  }

  void fill_rows() {
    row_begins_.assign(1, 0);
    std::int64_t used = 0;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const auto length = static_cast<std::int64_t>(length_of(order_[i]));
      CHECK(length > 0 && length <= seq_len_, "samples were cut to the row when they were opened");
      if (used + length > seq_len_) {
        row_begins_.push_back(i);
        used = 0;
      }
      used += length;
    }
    row_begins_.push_back(order_.size());
  }

  std::span<const std::int32_t> tokens_;
  SampleStream stream_;
  std::int64_t seq_len_;
  std::vector<std::size_t> order_;       // samples
  std::vector<std::size_t> row_begins_;  // into order_, then its end
  std::vector<std::int64_t> targets_;    // of each sample, those that count
};

class PackedBatches final : public BatchSource {
 public:
  PackedBatches(std::shared_ptr<const TokenSource> data, const BatchExtents& extents)
      : data_(std::move(data)),
        extents_(extents),
        train_(*data_, Split::kTrain, extents.seq_len),
        heldout_(*data_, Split::kHeldout, extents.seq_len) {}

  bool packs() const override { return true; }

  void train_rows(std::uint64_t seed, std::int64_t step, std::int64_t micro,
                  const BatchRows& out) override {
    for (std::int64_t place = 0; place < extents_.batch; ++place) {
      train_.write(row_in_epoch(seed, first_row(step, micro) + place), place, out);
    }
  }

  std::int64_t train_targets(std::uint64_t seed, std::int64_t step, std::int64_t micro) override {
    std::int64_t count = 0;
    for (std::int64_t place = 0; place < extents_.batch; ++place) {
      const std::int64_t row = row_in_epoch(seed, first_row(step, micro) + place);
      count += train_.targets_of(row);
    }
    return count;
  }

  std::int64_t heldout_windows() const override { return heldout_.rows(); }

  void heldout_rows(std::span<const std::int64_t> windows, const BatchRows& out) override {
    for (std::size_t place = 0; place < windows.size(); ++place) {
      heldout_.write(windows[place], static_cast<std::int64_t>(place), out);
    }
  }

 private:
  std::int64_t first_row(std::int64_t step, std::int64_t micro) const {
    return (step * extents_.grad_accum + micro) * extents_.batch;
  }

  // Packs the epoch that the run's row `row` falls into and gives its place there. Epochs differ in
  // their number of rows, so that each must have been packed once to know where the next begins.
  std::int64_t row_in_epoch(std::uint64_t seed, std::int64_t row) {
    if (epoch_begins_.empty() || seed != seed_) {
      seed_ = seed;
      epoch_begins_.assign(1, 0);
    }
    while (row >= epoch_begins_.back()) {
      pack(static_cast<std::int64_t>(epoch_begins_.size()) - 1);
      epoch_begins_.push_back(epoch_begins_.back() + train_.rows());
    }
    const auto next = std::upper_bound(epoch_begins_.begin(), epoch_begins_.end(), row);
    const std::int64_t epoch = next - epoch_begins_.begin() - 1;
    if (epoch != packed_epoch_) {
      pack(epoch);
    }
    return row - *std::prev(next);
  }

  void pack(std::int64_t epoch) {
    train_.shuffle(seed_, kOrderStream + static_cast<std::uint64_t>(epoch));
    packed_epoch_ = epoch;
  }

  std::shared_ptr<const TokenSource> data_;
  BatchExtents extents_;
  Packing train_;
  Packing heldout_;
  std::uint64_t seed_ = 0;
  std::vector<std::int64_t> epoch_begins_;  // first row of each epoch seen, then the next one's
  std::int64_t packed_epoch_ = -1;          // that train_ holds
};

}  // namespace

std::unique_ptr<BatchSource> make_packed_batches(std::shared_ptr<const TokenSource> data,
                                                 const BatchExtents& extents) {
  return std::make_unique<PackedBatches>(std::move(data), extents);
}

}  // namespace lathe
