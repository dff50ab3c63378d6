// Headers are checked against the bytes that are there before anything is taken.
#include "engine/data/image_formats.h"

namespace lathe {
namespace {

constexpr std::uint32_t kIdxImages = 0x0803;  // bytes, three dimensions
constexpr std::uint32_t kIdxLabels = 0x0801;
constexpr std::size_t kImagesHeader = 16;
constexpr std::size_t kLabelsHeader = 8;
constexpr std::int64_t kCifarSize = 32;
constexpr std::int64_t kCifarChannels = 3;
constexpr std::int64_t kCifarImage = kCifarChannels * kCifarSize * kCifarSize;

Error data_error(const std::string& path, const std::string& what) {
  return {ErrorKind::kData, path + " " + what,
          "fetch the file again, or point data.path at the set's own folder"};
}

// Big-endian.
std::uint32_t word_at(std::string_view bytes, std::size_t at) {
  std::uint32_t word = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    word = word << 8 | static_cast<std::uint8_t>(bytes[at + i]);
  }
  return word;
}

Result<void> check_header(std::string_view bytes, const std::string& path, std::uint32_t magic,
                          std::size_t header) {
  if (bytes.size() < header) {
    return data_error(path,
                      "ends within its header: it has " + std::to_string(bytes.size()) + " bytes");
  }
  if (word_at(bytes, 0) != magic) {
    const char* dimensions = magic == kIdxImages ? "three dimensions" : "one dimension";
    return data_error(path, "is no IDX file of bytes in " + std::string(dimensions) +
                                ": it begins with " + std::to_string(word_at(bytes, 0)) + ", not " +
                                std::to_string(magic));
  }
  return {};
}

Result<void> check_length(std::string_view bytes, const std::string& path, std::size_t header,
                          std::int64_t wanted, const std::string& what) {
  const auto there = static_cast<std::int64_t>(bytes.size() - header);
  if (there == wanted) {
    return {};
  }
  return data_error(path, "should hold " + what + ", " + std::to_string(wanted) +
                              " bytes behind its header, and has " + std::to_string(there));
}

}  // namespace

Result<RawImages> parse_idx(std::string_view images, const std::string& images_path,
                            std::string_view labels, const std::string& labels_path) {
  for (const Result<void>& checked :
       {check_header(images, images_path, kIdxImages, kImagesHeader),
        check_header(labels, labels_path, kIdxLabels, kLabelsHeader)}) {
    if (!checked) {
      return checked.error();
    }
  }
  const std::int64_t count = word_at(images, 4);
  RawImages out{.height = word_at(images, 8), .width = word_at(images, 12), .channels = 1};
  if (out.height < 1 || out.width < 1 || out.height > kMostPixels || out.width > kMostPixels) {
    return data_error(images_path, "has images of " + std::to_string(out.height) + " x " +
                                       std::to_string(out.width) + " pixels; 1 to " +
                                       std::to_string(kMostPixels) + " are legal");
  }
  const std::int64_t label_count = word_at(labels, 4);
  if (count != label_count) {
    return data_error(labels_path, "has " + std::to_string(label_count) + " labels, and " +
                                       images_path + " " + std::to_string(count) + " images");
  }
  // Neither overflows: counts are below 2^32, extents at most 2^12.
  for (const Result<void>& checked :
       {check_length(images, images_path, kImagesHeader, count * out.height * out.width,
                     std::to_string(count) + " images"),
        check_length(labels, labels_path, kLabelsHeader, count,
                     std::to_string(count) + " labels")}) {
    if (!checked) {
      return checked.error();
    }
  }
  images.remove_prefix(kImagesHeader);
  labels.remove_prefix(kLabelsHeader);
  out.pixels.assign(images.begin(), images.end());
  for (const char label : labels) {
    out.labels.push_back(static_cast<std::uint8_t>(label));
  }
  return out;
}

std::int64_t cifar_record_bytes(CifarKind kind) {
  return kCifarImage + (kind == CifarKind::kTen ? 1 : 2);
}

Result<void> append_cifar(std::string_view bytes, const std::string& path, CifarKind kind,
                          RawImages& out) {
  const auto record = static_cast<std::size_t>(cifar_record_bytes(kind));
  const std::int64_t classes = kind == CifarKind::kTen ? 10 : 100;
  if (bytes.empty() || bytes.size() % record != 0) {
    return data_error(path, "has " + std::to_string(bytes.size()) +
                                " bytes, which are no whole records of " + std::to_string(record));
  }
  out.height = out.width = kCifarSize;
  out.channels = kCifarChannels;
  for (std::size_t at = 0; at < bytes.size(); at += record) {
    const std::size_t image = at + record - static_cast<std::size_t>(kCifarImage);
    const auto label = static_cast<std::uint8_t>(bytes[image - 1]);
    if (label >= classes) {
      return data_error(path, "has the label " + std::to_string(label) + " in record " +
                                  std::to_string(at / record) + "; 0 to " +
                                  std::to_string(classes - 1) + " are legal");
    }
    out.labels.push_back(label);
    const std::string_view pixels = bytes.substr(image, static_cast<std::size_t>(kCifarImage));
    out.pixels.insert(out.pixels.end(), pixels.begin(), pixels.end());
  }
  return {};
}

}  // namespace lathe
