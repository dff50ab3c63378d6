// The micro-batches of a run on the device, rows of tokens or images. There are two places for
// them: while a step computes on one, the next one's rows are drawn and copied into the other,
// where a device copies beside its computing. For steps that are recorded each micro-batch has a
// place of its own for good, to which it is moved when its step begins.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/data/batch_source.h"
#include "engine/nn/block.h"
#include "engine/train/train_spec.h"

namespace lathe {

// Of images, ids are their patches, f32, and targets one each. `shape` names positions and first
// keys where rows are packed. Valid until the next is asked for.
struct TrainBatch {
  TensorRef ids, targets;
  BatchShape shape;
};

class BatchFeed {
 public:
  // `source` is null on meta, where batches have no contents.
  BatchFeed(Backend& backend, const TrainSpec& spec, std::unique_ptr<BatchSource> source);
  ~BatchFeed();
  BatchFeed(const BatchFeed&) = delete;
  BatchFeed& operator=(const BatchFeed&) = delete;

  // Moves all micro-batches of the step to their lasting places, where train.graph asks for some.
  void settle(std::int64_t step);
  // Micro-batch `micro` of optimizer step `step` (0-based); of the settled one where steps are.
  TrainBatch train_batch(std::int64_t step, std::int64_t micro);
  // The targets that the step is the mean of, at least 1.
  std::int64_t count_targets(std::int64_t step);

  // The windows of an evaluation, a batch's after the other, spread evenly over the held-out part:
  // its first files alone would not stand for it. Always the same for the same corpus and spec.
  std::vector<std::int64_t> evaluated_windows() const;
  // Runs `use` on a batch of held-out rows, one for each window.
  void with_heldout_batch(std::span<const std::int64_t> windows,
                          const std::function<void(const TrainBatch&)>& use);

  const BatchShape& shape() const { return shape_; }

 private:
  // Tensors of a batch and which of the run's lies there.
  struct Place {
    Tensor ids, targets, positions, first_key;
    std::int64_t step = -1;
    std::int64_t micro = -1;
    bool holds(std::int64_t of_step, std::int64_t of_micro) const {
      return step == of_step && micro == of_micro;
    }
  };
  using Write = std::function<void(TensorRef to, const void* from)>;

  Place make_place();
  // Memory for a batch on this side.
  BatchRows host_rows();
  std::vector<Place> make_places(std::int64_t count);
  TrainBatch batch_of(const Place& place) const;
  void fill(Place& place, const std::function<void(const BatchRows&)>& draw, const Write& write);
  void fetch(Place& place, std::int64_t step, std::int64_t micro);

  Backend& backend_;
  TrainSpec spec_;
  std::unique_ptr<BatchSource> source_;
  bool images_;
  bool packs_;  // rows hold several samples
  BatchShape shape_;
  // Two; with train.graph one for each micro-batch of a step, and as many that last.
  std::vector<Place> places_, lasting_;
  std::vector<std::int32_t> rows_;
  std::vector<float> patches_;
};

}  // namespace lathe
