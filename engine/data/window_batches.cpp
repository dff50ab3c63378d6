// Running text: training rows are windows at random places of the stream, held-out rows lie one
// after the other; each token's target is the next one.
#include <algorithm>
#include <utility>
#include <vector>

#include "engine/data/batch_source.h"
#include "engine/data/token_source.h"

namespace lathe {
namespace {

class WindowBatches final : public BatchSource {
 public:
  WindowBatches(std::shared_ptr<const TokenSource> data, const BatchExtents& extents)
      : data_(std::move(data)),
        seq_len_(extents.seq_len),
        rows_(extents.batch),
        offsets_(static_cast<std::size_t>(extents.batch)) {}

  bool packs() const override { return false; }

  void train_rows(std::uint64_t seed, std::int64_t step, std::int64_t micro,
                  const BatchRows& out) override {
    const std::span<const std::int32_t> stream = data_->tokens(Split::kTrain);
    batch_offsets(static_cast<std::int64_t>(stream.size()), seq_len_, seed, step, micro, offsets_);
    copy_windows(stream, offsets_, out);
  }

  std::int64_t train_targets(std::uint64_t, std::int64_t, std::int64_t) override {
    return rows_ * seq_len_;
  }

  std::int64_t heldout_windows() const override {
    const auto held = static_cast<std::int64_t>(data_->tokens(Split::kHeldout).size());
    return std::max<std::int64_t>(1, (held - 1) / seq_len_);
  }

  void heldout_rows(std::span<const std::int64_t> windows, const BatchRows& out) override {
    std::vector<std::int64_t> offsets(windows.size());
    std::transform(windows.begin(), windows.end(), offsets.begin(),
                   [this](std::int64_t window) { return window * seq_len_; });
    copy_windows(data_->tokens(Split::kHeldout), offsets, out);
  }

 private:
  void copy_windows(std::span<const std::int32_t> stream, std::span<const std::int64_t> offsets,
                    const BatchRows& out) const {
    auto id = out.ids.begin();
    auto target = out.targets.begin();
    for (const std::int64_t offset : offsets) {
      const auto first = stream.begin() + offset;
      id = std::copy(first, first + seq_len_, id);
      target = std::copy(first + 1, first + 1 + seq_len_, target);
    }
  }

  std::shared_ptr<const TokenSource> data_;
  std::int64_t seq_len_;
  std::int64_t rows_;
  std::vector<std::int64_t> offsets_;
};

}  // namespace

std::unique_ptr<BatchSource> make_window_batches(std::shared_ptr<const TokenSource> data,
                                                 const BatchExtents& extents) {
  return std::make_unique<WindowBatches>(std::move(data), extents);
}

}  // namespace lathe
