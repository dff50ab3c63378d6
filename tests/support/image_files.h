// Files of image sets, made in memory for tests.
#pragma once

#include <png.h>
#include <turbojpeg.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/check.h"

namespace lathe::test {

inline void append_word(std::string& bytes, std::uint32_t word) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(word >> shift & 0xff));
  }
}

// `count` images of 2 x 2 pixels; every pixel is the image's number, which mod 3 is its label.
inline std::string idx_images(std::uint32_t count) {
  std::string bytes;
  for (const std::uint32_t word : {0x0803u, count, 2u, 2u}) {
    append_word(bytes, word);
  }
  for (std::uint32_t image = 0; image < count; ++image) {
    bytes.append(4, static_cast<char>(image));
  }
  return bytes;
}

inline std::string idx_labels(std::uint32_t count) {
  std::string bytes;
  append_word(bytes, 0x0801);
  append_word(bytes, count);
  for (std::uint32_t image = 0; image < count; ++image) {
    bytes.push_back(static_cast<char>(image % 3));
  }
  return bytes;
}

inline std::string gzipped(const std::string& bytes) {
  z_stream stream{};
  CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
  std::vector<Bytef> from(bytes.begin(), bytes.end()), to(bytes.size() + 100);
  stream.next_in = from.data();
  stream.avail_in = static_cast<uInt>(from.size());
  stream.next_out = to.data();
  stream.avail_out = static_cast<uInt>(to.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
  deflateEnd(&stream);
  return {to.begin(), to.begin() + static_cast<std::ptrdiff_t>(stream.total_out)};
}

inline std::string png(std::uint32_t size, bool colour) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = size;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::vector<std::uint8_t> pixels;
  for (std::uint32_t i = 0; i < size * size * (colour ? 3 : 1); ++i) {
    pixels.push_back(static_cast<std::uint8_t>(i));
  }
  png_alloc_size_t bytes = 0;
  CHECK(png_image_write_to_memory(&image, nullptr, &bytes, 0, pixels.data(), 0, nullptr) != 0,
        "libpng");
  std::string out(bytes, '\0');
  CHECK(png_image_write_to_memory(&image, out.data(), &bytes, 0, pixels.data(), 0, nullptr) != 0,
        "libpng");
  return out;
}

// Grey of one value.
inline std::string jpeg(int size, std::uint8_t value) {
  const tjhandle encoder = tjInitCompress();
  const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size * size), value);
  unsigned char* bytes = nullptr;
  unsigned long count = 0;
  CHECK(tjCompress2(encoder, pixels.data(), size, 0, size, TJPF_GRAY, &bytes, &count, TJSAMP_GRAY,
                    95, 0) == 0,
        "libjpeg-turbo");
  std::string out(reinterpret_cast<char*>(bytes), count);
  tjFree(bytes);
  tjDestroy(encoder);
  return out;
}

}  // namespace lathe::test
