// See batch_feed.h.
#include "engine/train/batch_feed.h"

#include <algorithm>

#include "engine/backend/device_error.h"
#include "engine/nn/parameter.h"

namespace lathe {

BatchFeed::BatchFeed(Backend& backend, const TrainSpec& spec, std::unique_ptr<BatchSource> source)
    : backend_(backend),
      spec_(spec),
      source_(std::move(source)),
      images_(spec.model.images()),
      packs_(!images_ && spec.data.kind != DataKind::kText),
      shape_{spec.train.batch_size, spec.train.seq_len},
      places_(make_places(spec.train.graph ? spec.train.grad_accum : 2)),
      lasting_(make_places(spec.train.graph ? spec.train.grad_accum : 0)) {}

// What is still being copied must arrive before the memory is anyone else's.
BatchFeed::~BatchFeed() {
  try {
    backend_.join_writes();
  } catch (const DeviceError&) {
    return;  // a device that was lost copies nothing more
  }
}

BatchFeed::Place BatchFeed::make_place() {
  const Shape shape{shape_.batch, shape_.seq_len};
  const auto on_device = [&](const char* name) {
    return workspace(backend_, "batch", name, shape, DType::kI32);
  };
  Place place;
  if (images_) {
    const ImageConfig& image = spec_.model.image;
    place.ids = workspace(backend_, "batch", "patches",
                          Shape{shape_.batch * image.patches(), image.patch_values()});
    place.targets = workspace(backend_, "batch", "targets", Shape{shape_.batch}, DType::kI32);
    return place;
  }
  place.ids = on_device("ids");
  place.targets = on_device("targets");
  if (packs_) {
    place.positions = on_device("positions");
    place.first_key = on_device("first_key");
  }
  return place;
}

std::vector<BatchFeed::Place> BatchFeed::make_places(std::int64_t count) {
  std::vector<Place> places;
  for (std::int64_t i = 0; i < count; ++i) {
    places.push_back(make_place());
  }
  return places;
}

TrainBatch BatchFeed::batch_of(const Place& place) const {
  TrainBatch batch{.ids = place.ids, .targets = place.targets, .shape = shape_};
  if (packs_) {
    batch.shape.positions = place.positions;
    batch.shape.first_key = place.first_key;
  }
  return batch;
}

BatchRows BatchFeed::host_rows() {
  if (images_) {
    const ImageConfig& image = spec_.model.image;
    rows_.resize(static_cast<std::size_t>(shape_.batch));
    patches_.resize(
        static_cast<std::size_t>(shape_.batch * image.patches() * image.patch_values()));
    return {.targets = rows_, .patches = patches_};
  }
  const auto tokens = static_cast<std::size_t>(shape_.tokens());
  rows_.resize(tokens * (packs_ ? 4 : 2));
  const std::span<std::int32_t> all(rows_);
  BatchRows rows{.ids = all.first(tokens),
                 .targets = all.subspan(tokens, tokens),
                 .positions = {},
                 .first_key = {}};
  if (packs_) {
    rows.positions = all.subspan(2 * tokens, tokens);
    rows.first_key = all.subspan(3 * tokens, tokens);
  }
  return rows;
}

void BatchFeed::fill(Place& place, const std::function<void(const BatchRows&)>& draw,
                     const Write& write) {
  if (source_ == nullptr) {
    return;
  }
  const BatchRows rows = host_rows();
  draw(rows);
  if (packs_) {
    limit_to_window(rows.first_key, shape_.seq_len, spec_.model.window);
  }
  if (images_) {
    write(place.ids, rows.patches.data());
  } else {
    write(place.ids, rows.ids.data());
  }
  write(place.targets, rows.targets.data());
  if (packs_) {
    write(place.positions, rows.positions.data());
    write(place.first_key, rows.first_key.data());
  }
}

void BatchFeed::fetch(Place& place, std::int64_t step, std::int64_t micro) {
  place.step = -1;  // until it is whole
  fill(
      place,
      [&](const BatchRows& rows) {
        source_->train_rows(static_cast<std::uint64_t>(spec_.seed), step, micro, rows);
      },
      [&](TensorRef to, const void* from) { backend_.write_beside(to, from, to.bytes()); });
  place.step = step;
  place.micro = micro;
}

void BatchFeed::settle(std::int64_t step) {
  backend_.join_writes();
  for (std::size_t micro = 0; micro < lasting_.size(); ++micro) {
    const auto number = static_cast<std::int64_t>(micro);
    if (!places_[micro].holds(step, number)) {
      fetch(places_[micro], step, number);
    }
  }
  backend_.join_writes();
  for (std::size_t micro = 0; micro < lasting_.size(); ++micro) {
    Place& from = places_[micro];
    Place& to = lasting_[micro];
    to.step = step;
    to.micro = from.micro;
    ops::copy(backend_, {.from = from.ids, .to = to.ids});
    ops::copy(backend_, {.from = from.targets, .to = to.targets});
    if (packs_) {
      ops::copy(backend_, {.from = from.positions, .to = to.positions});
      ops::copy(backend_, {.from = from.first_key, .to = to.first_key});
    }
  }
  // These copies wait for those above and go beside the ops of the step, which are not yet issued.
  for (std::size_t micro = 0; micro < lasting_.size() && step + 1 < spec_.train.steps; ++micro) {
    fetch(places_[micro], step + 1, static_cast<std::int64_t>(micro));
  }
}

TrainBatch BatchFeed::train_batch(std::int64_t step, std::int64_t micro) {
  if (!lasting_.empty()) {
    const Place& place = lasting_[static_cast<std::size_t>(micro)];
    CHECK(place.holds(step, micro), "the step is settled");
    return batch_of(place);
  }
  const std::size_t at = places_[1].holds(step, micro) ? 1 : 0;
  backend_.join_writes();
  if (!places_[at].holds(step, micro)) {
    fetch(places_[at], step, micro);
    backend_.join_writes();
  }
  // The ops of the batch before, which lay at the other place, are issued; the copy waits for them
  // and goes beside those of this one.
  const bool last = micro + 1 == spec_.train.grad_accum;
  const std::int64_t next_step = last ? step + 1 : step;
  const std::int64_t next_micro = last ? 0 : micro + 1;
  Place& other = places_[1 - at];
  if (next_step < spec_.train.steps && !other.holds(next_step, next_micro)) {
    fetch(other, next_step, next_micro);
  }
  return batch_of(places_[at]);
}

std::int64_t BatchFeed::count_targets(std::int64_t step) {
  if (source_ == nullptr) {
    return (images_ ? shape_.batch : shape_.tokens()) * spec_.train.grad_accum;
  }
  std::int64_t count = 0;
  for (std::int64_t micro = 0; micro < spec_.train.grad_accum; ++micro) {
    count += source_->train_targets(static_cast<std::uint64_t>(spec_.seed), step, micro);
  }
  return std::max<std::int64_t>(1, count);
}

std::vector<std::int64_t> BatchFeed::evaluated_windows() const {
  const std::int64_t available = source_ == nullptr ? 1 : source_->heldout_windows();
  const std::int64_t all_batches = (available + shape_.batch - 1) / shape_.batch;
  const std::int64_t batches = source_ == nullptr ? spec_.train.eval_batches
                                                  : std::min(spec_.train.eval_batches, all_batches);
  const std::int64_t count = batches * shape_.batch;
  std::vector<std::int64_t> windows;
  for (std::int64_t i = 0; i < count; ++i) {
    // Images beyond the last have no target: of all of them each counts once.
    windows.push_back(count <= available ? i * available / count : images_ ? i : i % available);
  }
  return windows;
}

void BatchFeed::with_heldout_batch(std::span<const std::int64_t> windows,
                                   const std::function<void(const TrainBatch&)>& use) {
  Place place = make_place();
  fill(
      place, [&](const BatchRows& rows) { source_->heldout_rows(windows, rows); },
      [&](TensorRef to, const void* from) { backend_.write(to, from, to.bytes()); });
  use(batch_of(place));
}

}  // namespace lathe
