// Images as a model reads them: cut into patches and measured by mean and deviation.
#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/data/batch_source.h"
#include "engine/data/image_set.h"

namespace lathe {
namespace {

// Keeps the shuffles apart from the other draws under the same seed.
constexpr std::uint64_t kOrderStream = 0x1A6E'0DE2'0000'0000;

class ImageBatches final : public BatchSource {
 public:
  ImageBatches(std::shared_ptr<const TokenSource> data, const BatchExtents& extents)
      : data_(std::move(data)),
        set_(*data_->images()),
        extents_(extents),
        order_(static_cast<std::size_t>(set_.train.count())) {
    for (std::int64_t channel = 0; channel < set_.channels; ++channel) {
      const auto at = static_cast<std::size_t>(channel);
      for (int pixel = 0; pixel < 256; ++pixel) {
        values_.push_back(static_cast<float>((pixel / 255.0 - set_.mean[at]) / set_.deviation[at]));
      }
    }
  }

  bool packs() const override { return false; }

  void train_rows(std::uint64_t seed, std::int64_t step, std::int64_t micro,
                  const BatchRows& out) override {
    const std::int64_t first = (step * extents_.grad_accum + micro) * extents_.batch;
    for (std::int64_t place = 0; place < extents_.batch; ++place) {
      write(set_.train, image_of(seed, first + place), place, out);
    }
  }

  std::int64_t train_targets(std::uint64_t, std::int64_t, std::int64_t) override {
    return extents_.batch;
  }

  std::int64_t heldout_windows() const override { return set_.heldout.count(); }

  void heldout_rows(std::span<const std::int64_t> windows, const BatchRows& out) override {
    for (std::size_t place = 0; place < windows.size(); ++place) {
      const bool there = windows[place] < set_.heldout.count();
      write(set_.heldout, there ? windows[place] : 0, static_cast<std::int64_t>(place), out);
      if (!there) {
        out.targets[place] = kIgnoredTarget;
      }
    }
  }

 private:
  // The run's `row`-th image: the epochs follow each other, each an order of all (Fisher, Yates).
  std::int64_t image_of(std::uint64_t seed, std::int64_t row) {
    const std::int64_t epoch = row / set_.train.count();
    if (epoch != epoch_ || seed != seed_) {
      std::iota(order_.begin(), order_.end(), std::int64_t{0});
      Rng rng(seed, kOrderStream + static_cast<std::uint64_t>(epoch));
      for (std::size_t left = order_.size(); left > 1; --left) {
        std::swap(order_[left - 1], order_[rng.next_below(left)]);
      }
      epoch_ = epoch;
      seed_ = seed;
    }
    return order_[static_cast<std::size_t>(row % set_.train.count())];
  }

  void write(const ImagePart& part, std::int64_t image, std::int64_t place,
             const BatchRows& out) const {
    out.targets[static_cast<std::size_t>(place)] = part.labels[static_cast<std::size_t>(image)];
    const std::int64_t size = set_.size;
    const std::int64_t patch = extents_.patch_size;
    const std::uint8_t* pixels = part.pixels.data() + image * set_.image_bytes();
    float* to = out.patches.data() + place * set_.image_bytes();
    for (std::int64_t top = 0; top < size; top += patch) {
      for (std::int64_t left = 0; left < size; left += patch) {
        for (std::int64_t channel = 0; channel < set_.channels; ++channel) {
          const float* value_of = values_.data() + channel * 256;
          const std::uint8_t* corner = pixels + (channel * size + top) * size + left;
          for (std::int64_t y = 0; y < patch; ++y) {
            for (std::int64_t x = 0; x < patch; ++x) {
              *to++ = value_of[corner[y * size + x]];
            }
          }
        }
      }
    }
  }

  std::shared_ptr<const TokenSource> data_;
  const ImageSet& set_;
  BatchExtents extents_;
  std::vector<float> values_;  // of each channel, of each pixel
  std::vector<std::int64_t> order_;
  std::int64_t epoch_ = -1;  // that order_ is of
  std::uint64_t seed_ = 0;
};

}  // namespace

std::unique_ptr<BatchSource> make_image_batches(std::shared_ptr<const TokenSource> data,
                                                const BatchExtents& extents) {
  CHECK(data->images() != nullptr && data->images()->size % extents.patch_size == 0,
        "the model was checked against the images");
  return std::make_unique<ImageBatches>(std::move(data), extents);
}

}  // namespace lathe
