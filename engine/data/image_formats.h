// Image sets in one file: IDX (MNIST's, http://yann.lecun.com/exdb/mnist) and CIFAR's binary
// version (https://www.cs.toronto.edu/~kriz/cifar.html). The bytes come from anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"

namespace lathe {

// Images of one size as they lie in a set: of each the rows of a channel, of the next one.
struct RawImages {
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels = {};  // [images, channels, height, width]
  std::vector<std::int32_t> labels = {};  // [images]
  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
  std::int64_t image_bytes() const { return channels * height * width; }
};

// Largest height and width that is read.
inline constexpr std::int64_t kMostPixels = 4096;

// An IDX file of bytes in three dimensions with one of labels in one. kData, naming the file, for
// another kind of IDX file, one that is cut or longer than its header says, images beyond
// kMostPixels, or as many labels as there are no images.
Result<RawImages> parse_idx(std::string_view images, const std::string& images_path,
                            std::string_view labels, const std::string& labels_path);

// What stands before the 3072 bytes of an image: CIFAR-10 has a label, CIFAR-100 a coarse one that
// is passed over and a fine one.
enum class CifarKind : std::uint8_t { kTen, kHundred };
std::int64_t cifar_record_bytes(CifarKind kind);

// Appends the images of one file. kData where it does not consist of whole records, or a label is
// not below 10 or 100.
Result<void> append_cifar(std::string_view bytes, const std::string& path, CifarKind kind,
                          RawImages& out);

}  // namespace lathe
