// What the trainer reads: micro-batches as rows of tokens with their targets, or images as patches
// with their classes, whatever the data is made of. Training rows are decided by (seed, step,
// micro) alone, so that a resumed or replayed run reads the same; evaluation rows by the number of
// a window of the held-out part.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

namespace lathe {

class TokenSource;  // engine/data/token_source.h

// The target of a row's token that nothing is to be learnt from.
constexpr std::int32_t kIgnoredTarget = -1;

// Where a source writes: rows of seq_len tokens one after the other, of equal size. The last two
// are empty unless the source packs.
struct BatchRows {
  std::span<std::int32_t> ids = {};
  std::span<std::int32_t> targets = {};    // what follows each id, or kIgnoredTarget
  std::span<std::int32_t> positions = {};  // of each token within its own sample
  std::span<std::int32_t> first_key =
      {};  // where its sample begins in the row: all it may attend to
  // Of images alone, which have no ids and one target each: an image's patches one after the other,
  // of each the rows of a channel, of the next one.
  std::span<float> patches = {};
};

// Single-threaded, as the trainer is; may remember what it has worked out.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  // Whether rows hold several samples, so that positions and first keys are needed.
  virtual bool packs() const = 0;
  // The rows of micro-batch `micro` of optimizer step `step` (0-based).
  virtual void train_rows(std::uint64_t seed, std::int64_t step, std::int64_t micro,
                          const BatchRows& out) = 0;
  // How many of that micro-batch's targets count: known before it is trained on, because a step's
  // gradient is the mean over all its micro-batches.
  virtual std::int64_t train_targets(std::uint64_t seed, std::int64_t step, std::int64_t micro) = 0;

  // Rows of the held-out part, at least 1.
  virtual std::int64_t heldout_windows() const = 0;
  // One row for each window, in [0, heldout_windows()); images beyond have no target.
  virtual void heldout_rows(std::span<const std::int64_t> windows, const BatchRows& out) = 0;
};

// Extents of the micro-batches of a run.
struct BatchExtents {
  std::int64_t batch = 1;    // rows
  std::int64_t seq_len = 1;  // tokens of a row
  std::int64_t grad_accum = 1;
  std::int64_t patch_size = 1;  // of images, in pixels
};

// Windows of running text, at random places for training and one after the other for evaluation.
std::unique_ptr<BatchSource> make_window_batches(std::shared_ptr<const TokenSource> data,
                                                 const BatchExtents& extents);

// Samples packed into rows: as many as fit one after the other (next-fit), the rest of the row
// ignored. Every sample comes once in an epoch, in an order that seed and epoch decide. Of the
// held-out part the order is that of the corpus.
std::unique_ptr<BatchSource> make_packed_batches(std::shared_ptr<const TokenSource> data,
                                                 const BatchExtents& extents);

// Images: every one once in an epoch, in an order that seed and epoch decide.
std::unique_ptr<BatchSource> make_image_batches(std::shared_ptr<const TokenSource> data,
                                                const BatchExtents& extents);

// The fit one of these for `data`, which is long enough for a row of each part (open_corpus()
// sees to it).
std::unique_ptr<BatchSource> make_batch_source(std::shared_ptr<const TokenSource> data,
                                               const BatchExtents& extents);

}  // namespace lathe
