// Images and their classes, divided into a training and a held-out part, in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/data_config.h"
#include "engine/data/token_source.h"

namespace lathe {

struct ImagePart {
  std::vector<std::uint8_t> pixels = {};  // [images, channels, size, size]
  std::vector<std::int32_t> labels = {};  // [images]
  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

// A pixel p of channel c, in 0 .. 255, becomes (p / 255 - mean[c]) / deviation[c].
struct ImageSet {
  std::int64_t size = 0;  // height and width
  std::int64_t channels = 0;
  std::int64_t classes = 0;
  ImagePart train = {}, heldout = {};
  std::vector<double> mean = {}, deviation = {};  // [channels]

  const ImagePart& part(Split split) const { return split == Split::kTrain ? train : heldout; }
  std::int64_t image_bytes() const { return channels * size * size; }
};

// A source whose images() is `set`; its digest is that of all that batches are made of.
std::shared_ptr<const TokenSource> make_image_source(ImageSet set, std::int64_t files);

// The set that data.path names (read_image_folder()), with data.examples of its training images, as
// many of each class as can be. What is held out is the set's own test part where there is one,
// else a share of the images. kData as read_image_folder(), and for images that are not square;
// kUsage for more examples than there are images, or a mean without a deviation.
Result<std::shared_ptr<const TokenSource>> open_images(const DataConfig& config,
                                                       const CorpusProgress& progress);

}  // namespace lathe
