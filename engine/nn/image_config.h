// What a transformer needs to know of images (ViT, Dosovitskiy et al. 2021, arXiv 2010.11929): how
// they are cut into patches, and what of the blocks' output is classified.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"

namespace lathe {

// What goes into the head: the output of a learned token before the patches, or all patches' mean.
enum class ImagePool : std::uint8_t { kClassToken, kMean };
template <>
struct EnumNames<ImagePool> {
  static constexpr std::array<std::string_view, 2> names{"class_token", "mean"};
};

struct ImageConfig {
  std::int64_t size = 0;
  std::int64_t channels = 1;
  std::int64_t patch_size = 4;
  std::int64_t classes = 0;
  ImagePool pool = ImagePool::kClassToken;

  // Precondition for these: size > 0, patch_size divides it.
  std::int64_t patches() const { return (size / patch_size) * (size / patch_size); }
  std::int64_t patch_values() const { return channels * patch_size * patch_size; }
  // Positions of an image in the blocks.
  std::int64_t tokens() const { return patches() + (pool == ImagePool::kClassToken ? 1 : 0); }
  // The field with its "0 means" resolved, of a model that begins with none.
  std::int64_t class_count() const { return classes == 0 ? 10 : classes; }

  static constexpr auto fields() {
    using C = ImageConfig;
    return std::tuple{
        field(
            "size", &C::size,
            {.lo = 0,
             .hi = 4096,
             .structural = true,
             .unit = "pixels",
             .help = "height and width of the images that the model classifies (a ViT: patches "
                     "are its tokens, so that train.seq_len is not used, and all of them see each "
                     "other); 0: a model of text",
             .qualified = true}),
        field("channels", &C::channels,
              {.lo = 1, .hi = 4, .structural = true, .help = "of the images: 1 grey, 3 colour"}),
        field("patch_size", &C::patch_size,
              {.lo = 1,
               .hi = 1024,
               .log = true,
               .sweep = true,
               .structural = true,
               .unit = "pixels",
               .help = "height and width of a patch; must divide image.size"}),
        field("classes", &C::classes,
              {.lo = 0,
               .hi = 1 << 20,
               .structural = true,
               .help = "how many the head chooses from; not fewer than the data have; 0: as many "
                       "as model.from, whose head is drawn anew for others, or 10"}),
        field("pool", &C::pool,
              {.sweep = true,
               .structural = true,
               .help = "what is classified: class_token, the output of a learned token before the "
                       "patches; mean, that of all patches"})};
  }
};
static_assert(complete<ImageConfig>());

}  // namespace lathe
