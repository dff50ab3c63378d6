// Files of an image set as they come from a stranger; the first byte chooses the kind.
#include <algorithm>

#include "engine/data/gzip.h"
#include "engine/data/image_formats.h"
#include "engine/data/picture.h"

namespace {

using namespace lathe;

void use(const RawImages& images, std::int64_t classes) {
  CHECK(static_cast<std::int64_t>(images.pixels.size()) == images.count() * images.image_bytes(),
        "all pixels of all images are there");
  for (const std::int32_t label : images.labels) {
    CHECK(label >= 0 && label < classes, "labels are those of the format");
  }
}

// The labels' length, the labels, the images.
void read_idx(std::string_view bytes) {
  if (bytes.empty()) {
    return;
  }
  const auto labels = static_cast<std::uint8_t>(bytes[0]);
  bytes.remove_prefix(1);
  const auto images = bytes.substr(std::min<std::size_t>(labels, bytes.size()));
  if (const auto read = parse_idx(images, "images", bytes.substr(0, labels), "labels")) {
    use(*read, 256);
  }
}

void read_cifar(std::string_view bytes, CifarKind kind) {
  RawImages images;
  if (append_cifar(bytes, "batch", kind, images)) {
    use(images, kind == CifarKind::kTen ? 10 : 100);
  }
}

void read_picture(std::string_view bytes) {
  if (const auto picture = decode_picture(bytes, "picture")) {
    const std::int64_t wanted = picture->height * picture->width * picture->channels;
    CHECK(static_cast<std::int64_t>(picture->pixels.size()) == wanted, "all pixels are there");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 5) {
    case 0:
      read_idx(bytes);
      break;
    case 1:
      read_cifar(bytes, CifarKind::kTen);
      break;
    case 2:
      read_cifar(bytes, CifarKind::kHundred);
      break;
    case 3:
      read_picture(bytes);
      break;
    default:
      static_cast<void>(gunzip(bytes, "packed.gz"));
  }
  return 0;
}
