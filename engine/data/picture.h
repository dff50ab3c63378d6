// One picture of a file: PNG by libpng, JPEG by libjpeg-turbo, both of which bear files made to
// hurt.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace lathe {

struct Picture {
  std::int64_t height = 0, width = 0;
  std::int64_t channels = 0;              // 1 grey, 3 red, green and blue
  std::vector<std::uint8_t> pixels = {};  // [height, width, channels]
};

// Whether a file of that name is taken for a picture: .png, .jpg, .jpeg, in any case.
bool is_picture_name(const std::string& name);

// Told apart by their first bytes; 16 bits become 8, what is transparent is laid on black. kData,
// naming `path`, for what is neither or damaged, or larger than kMostPixels (image_formats.h).
Result<Picture> decode_picture(std::string_view bytes, const std::string& path);

}  // namespace lathe
