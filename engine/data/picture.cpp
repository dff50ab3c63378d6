// Both libraries are asked for the size first, and for the pixels only if it is legal.
#include "engine/data/picture.h"

#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <memory>

#include "engine/data/image_formats.h"

namespace lathe {
namespace {

Error data_error(const std::string& path, const std::string& what) {
  return {ErrorKind::kData, path + " " + what, "replace the file, or take it out of the set"};
}

Result<void> check_size(const std::string& path, std::int64_t height, std::int64_t width) {
  if (height >= 1 && width >= 1 && height <= kMostPixels && width <= kMostPixels) {
    return {};
  }
  return data_error(path, "is a picture of " + std::to_string(height) + " x " +
                              std::to_string(width) + " pixels; 1 to " +
                              std::to_string(kMostPixels) + " are legal");
}

// Memory for the pixels, black.
Picture blank(std::int64_t height, std::int64_t width, std::int64_t channels) {
  return {.height = height,
          .width = width,
          .channels = channels,
          .pixels = std::vector<std::uint8_t>(static_cast<std::size_t>(height * width * channels))};
}

struct PngImage {
  png_image image{};
  PngImage() { image.version = PNG_IMAGE_VERSION; }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
  ~PngImage() { png_image_free(&image); }
};

Result<Picture> decode_png(std::string_view bytes, const std::string& path) {
  PngImage png;
  if (png_image_begin_read_from_memory(&png.image, bytes.data(), bytes.size()) == 0) {
    return data_error(path, "is no sound PNG file: " + std::string(png.image.message));
  }
  if (const auto legal = check_size(path, png.image.height, png.image.width); !legal) {
    return legal.error();
  }
  const bool colour = (png.image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  png.image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  Picture picture = blank(png.image.height, png.image.width, colour ? 3 : 1);
  if (png_image_finish_read(&png.image, nullptr, picture.pixels.data(), 0, nullptr) == 0) {
    return data_error(path, "is a damaged PNG file: " + std::string(png.image.message));
  }
  return picture;
}

struct EndDecoder {
  void operator()(void* decoder) const { tjDestroy(decoder); }
};

Result<Picture> decode_jpeg(std::string_view bytes, const std::string& path) {
  const std::unique_ptr<void, EndDecoder> decoder(tjInitDecompress());
  if (decoder == nullptr) {
    return data_error(path, "cannot be read: libjpeg-turbo does not start");
  }
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto size = static_cast<unsigned long>(bytes.size());
  int width = 0, height = 0, sampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder.get(), data, size, &width, &height, &sampling, &colours) != 0) {
    return data_error(path, "is no sound JPEG file: " + std::string(tjGetErrorStr2(decoder.get())));
  }
  if (const auto legal = check_size(path, height, width); !legal) {
    return legal.error();
  }
  const bool grey = colours == TJCS_GRAY;
  Picture picture = blank(height, width, grey ? 1 : 3);
  // Accurate, so that the pixels do not depend on the processor; a file that is cut is an error.
  constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING;
  if (tjDecompress2(decoder.get(), data, size, picture.pixels.data(), width, 0, height,
                    grey ? TJPF_GRAY : TJPF_RGB, kFlags) != 0) {
    return data_error(path,
                      "is a damaged JPEG file: " + std::string(tjGetErrorStr2(decoder.get())));
  }
  return picture;
}

}  // namespace

bool is_picture_name(const std::string& name) {
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  constexpr std::array<std::string_view, 3> kEndings{".jpeg", ".jpg", ".png"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return lower.ends_with(ending); });
}

Result<Picture> decode_picture(std::string_view bytes, const std::string& path) {
  if (bytes.starts_with("\x89PNG")) {
    return decode_png(bytes, path);
  }
  if (bytes.starts_with("\xff\xd8")) {
    return decode_jpeg(bytes, path);
  }
  return data_error(path, "is neither a PNG nor a JPEG file, by its first bytes");
}

}  // namespace lathe
