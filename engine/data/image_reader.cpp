// Tells the layouts apart by the names of a folder's files, which are taken in sorted order.
#include "engine/data/image_reader.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "engine/data/gzip.h"
#include "engine/data/picture_folder.h"

namespace lathe {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kInstalledName = "fashion-mnist";
constexpr std::string_view kInstalledFolder = "/usr/share/datasets/fashion-mnist";
constexpr std::string_view kIdxImages = "-images-idx3-ubyte";
constexpr std::string_view kIdxLabels = "-labels-idx1-ubyte";
constexpr std::string_view kPacked = ".gz";

Error data_error(const std::string& what, const std::string& remedy) {
  return {ErrorKind::kData, what, remedy};
}

bool is_test(const std::string& name) {
  return name.starts_with("t10k") || name.starts_with("test");
}

// `images` joins `all`, which is of its size unless it is empty.
Result<void> join(RawImages images, const std::string& path, RawImages& all) {
  if (all.count() == 0) {
    all = std::move(images);
    return {};
  }
  if (images.height != all.height || images.width != all.width || images.channels != all.channels) {
    return data_error(path + " has images of another size than the files before it",
                      "give each set a folder of its own");
  }
  all.pixels.insert(all.pixels.end(), images.pixels.begin(), images.pixels.end());
  all.labels.insert(all.labels.end(), images.labels.begin(), images.labels.end());
  return {};
}

// "train-images-idx3-ubyte" of a name that ends so, packed or not.
std::optional<std::string> idx_stem(std::string name) {
  if (name.ends_with(kPacked)) {
    name.resize(name.size() - kPacked.size());
  }
  return name.ends_with(kIdxImages) ? std::optional(name) : std::nullopt;
}

Result<void> read_idx(const fs::path& folder, const std::vector<std::string>& names,
                      const std::string& name, ReadImages& out) {
  const std::string stem = *idx_stem(name);
  const std::string labels =
      stem.substr(0, stem.size() - kIdxImages.size()) + std::string(kIdxLabels);
  const auto there = std::find_if(names.begin(), names.end(), [&](const std::string& candidate) {
    return candidate == labels || candidate == labels + std::string(kPacked);
  });
  const std::string images_path = (folder / name).string();
  if (there == names.end()) {
    return data_error(images_path + " has no file of labels beside it, " + labels + " or " +
                          labels + std::string(kPacked),
                      "fetch the set's labels too");
  }
  const std::string labels_path = (folder / *there).string();
  const auto image_bytes = read_unpacked(images_path);
  if (!image_bytes) {
    return image_bytes.error();
  }
  const auto label_bytes = read_unpacked(labels_path);
  if (!label_bytes) {
    return label_bytes.error();
  }
  auto images = parse_idx(*image_bytes, images_path, *label_bytes, labels_path);
  if (!images) {
    return images.error();
  }
  out.files += 2;
  return join(std::move(*images), images_path, is_test(name) ? out.test : out.train);
}

// CIFAR-100 says so by a list of its names; else the length of the files does.
CifarKind cifar_kind(const fs::path& folder, const std::vector<std::string>& names) {
  if (std::find(names.begin(), names.end(), "fine_label_names.txt") != names.end()) {
    return CifarKind::kHundred;
  }
  const auto ten = static_cast<std::uintmax_t>(cifar_record_bytes(CifarKind::kTen));
  const auto hundred = static_cast<std::uintmax_t>(cifar_record_bytes(CifarKind::kHundred));
  for (const std::string& name : names) {
    std::error_code failed;
    const std::uintmax_t bytes = fs::file_size(folder / name, failed);
    if (name.ends_with(".bin") && !failed && bytes % ten != 0 && bytes % hundred == 0) {
      return CifarKind::kHundred;
    }
  }
  return CifarKind::kTen;
}

Result<void> read_cifar(const fs::path& folder, const std::string& name, CifarKind kind,
                        ReadImages& out) {
  const std::string path = (folder / name).string();
  const auto bytes = read_unpacked(path);
  if (!bytes) {
    return bytes.error();
  }
  ++out.files;
  return append_cifar(*bytes, path, kind, is_test(name) ? out.test : out.train);
}

Result<void> read_files(const fs::path& folder, const std::vector<std::string>& names,
                        ReadImages& out) {
  const bool idx = std::any_of(names.begin(), names.end(),
                               [](const std::string& name) { return idx_stem(name).has_value(); });
  const CifarKind kind = cifar_kind(folder, names);
  std::vector<std::string> seen;
  for (const std::string& name : names) {
    const std::optional<std::string> stem = idx_stem(name);
    // A file that lies there packed as well is read once.
    if (idx && stem && std::find(seen.begin(), seen.end(), *stem) == seen.end()) {
      seen.push_back(*stem);
      if (const auto read = read_idx(folder, names, name, out); !read) {
        return read;
      }
    } else if (!idx && name.ends_with(".bin")) {
      if (const auto read = read_cifar(folder, name, kind, out); !read) {
        return read;
      }
    }
  }
  return {};
}

std::int64_t classes_of(const RawImages& images) {
  const auto greatest = std::max_element(images.labels.begin(), images.labels.end());
  return greatest == images.labels.end() ? 0 : *greatest + 1;
}

Result<void> check_parts(const std::string& path, const ReadImages& read) {
  if (read.train.count() == 0) {
    return data_error(path + " holds no images to train on: " +
                          (read.files == 0 ? "no IDX files, no CIFAR files (.bin) and no folders "
                                             "of pictures (.png, .jpg, .jpeg) are in it"
                                           : "only a test part is in it"),
                      "point data.path at a set's folder, or at fashion-mnist");
  }
  const bool alike = read.test.count() == 0 || (read.test.height == read.train.height &&
                                                read.test.width == read.train.width &&
                                                read.test.channels == read.train.channels);
  if (!alike) {
    return data_error(path + " has test images of another size than its training images",
                      "give each set a folder of its own");
  }
  return {};
}

}  // namespace

Result<ReadImages> read_image_folder(const std::string& path) {
  const fs::path folder = path == kInstalledName ? fs::path(kInstalledFolder) : fs::path(path);
  std::error_code failed;
  if (!fs::is_directory(folder, failed)) {
    return data_error("data.path=" + path + " is no folder" +
                          (path == kInstalledName ? " at " + folder.string() : ""),
                      path == kInstalledName
                          ? "install the package dataset-fashion-mnist, as scripts/setup does"
                          : "point it at a set's folder, or at fashion-mnist");
  }
  ReadImages out;
  const auto names = sorted_entries(folder.string(), false);
  if (!names) {
    return names.error();
  }
  if (const auto read = read_files(folder, *names, out); !read) {
    return read.error();
  }
  if (out.files == 0) {
    if (const auto read = read_pictures(folder.string(), out.train, out.test, out.files); !read) {
      return read.error();
    }
  }
  if (const auto checked = check_parts(path, out); !checked) {
    return checked.error();
  }
  out.classes = std::max(classes_of(out.train), classes_of(out.test));
  return out;
}

}  // namespace lathe
