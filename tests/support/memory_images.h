// An image set in memory that a model can learn: noise of which one quarter is brighter, and which
// one is the class.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/base/rng.h"
#include "engine/data/image_set.h"

namespace lathe::test {

inline ImagePart quarter_images(std::int64_t count, std::int64_t size, std::int64_t channels,
                                std::uint64_t stream) {
  ImagePart part;
  Rng rng(11, stream);
  for (std::int64_t image = 0; image < count; ++image) {
    const auto quarter = static_cast<std::int64_t>(rng.next_below(4));
    part.labels.push_back(static_cast<std::int32_t>(quarter));
    for (std::int64_t i = 0; i < channels * size * size; ++i) {
      const std::int64_t y = i / size % size;
      const std::int64_t x = i % size;
      const bool bright = (y >= size / 2 ? 2 : 0) + (x >= size / 2 ? 1 : 0) == quarter;
      const std::uint64_t least = bright ? 100 : 0;
      part.pixels.push_back(static_cast<std::uint8_t>(least + rng.next_below(120)));
    }
  }
  return part;
}

inline std::shared_ptr<const TokenSource> learnable_images(std::int64_t size,
                                                           std::int64_t channels = 1,
                                                           std::int64_t heldout = 50) {
  return make_image_source(
      {.size = size,
       .channels = channels,
       .classes = 4,
       .train = quarter_images(160, size, channels, 1),
       .heldout = quarter_images(heldout, size, channels, 2),
       .mean = std::vector<double>(static_cast<std::size_t>(channels), 0.33),
       .deviation = std::vector<double>(static_cast<std::size_t>(channels), 0.2)},
      0);
}

}  // namespace lathe::test
