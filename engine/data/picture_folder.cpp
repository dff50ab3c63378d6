// Walks class folders and puts their pictures together.
#include "engine/data/picture_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "engine/data/picture.h"
#include "engine/data/row_file.h"

namespace lathe {
namespace fs = std::filesystem;
namespace {

// More than any machine here trains on from single files; a guard against a wrong path.
constexpr std::int64_t kMostBytes = std::int64_t{16} << 30;

Error data_error(const std::string& what, const std::string& remedy) {
  return {ErrorKind::kData, what, remedy};
}

std::string size_text(const Picture& picture) {
  return std::to_string(picture.height) + " x " + std::to_string(picture.width);
}

// One part of a set while it is read.
struct Part {
  std::vector<Picture> pictures;
  std::vector<std::int32_t> labels;
  std::string first_path;
  std::int64_t bytes = 0;
};

Result<void> add_picture(const std::string& path, std::int32_t label, Part& part) {
  const auto bytes = read_bytes(path);
  if (!bytes) {
    return bytes.error();
  }
  auto picture = decode_picture(*bytes, path);
  if (!picture) {
    return picture.error();
  }
  if (part.pictures.empty()) {
    part.first_path = path;
  } else if (const Picture& first = part.pictures.front();
             picture->height != first.height || picture->width != first.width) {
    return data_error(path + " has " + size_text(*picture) + " pixels, and " + part.first_path +
                          " " + size_text(first),
                      "bring all pictures of the set to one size");
  }
  part.bytes += static_cast<std::int64_t>(picture->pixels.size());
  if (part.bytes > kMostBytes) {
    return data_error(path + " would make the set larger than 16 GiB of pixels",
                      "point data.path at a smaller set");
  }
  part.labels.push_back(label);
  part.pictures.push_back(std::move(*picture));
  return {};
}

Result<void> add_class(const fs::path& folder, std::int32_t label, Part& part) {
  const auto names = sorted_entries(folder.string(), false);
  if (!names) {
    return names.error();
  }
  const std::size_t before = part.pictures.size();
  for (const std::string& name : *names) {
    if (is_picture_name(name)) {
      if (const auto added = add_picture((folder / name).string(), label, part); !added) {
        return added;
      }
    }
  }
  if (part.pictures.size() == before) {
    return data_error("the class folder " + folder.string() +
                          " holds no picture that ends in .png, .jpg or .jpeg",
                      "take the folder away, or put the class's pictures into it");
  }
  return {};
}

// Pictures side by side become planes, grey ones as three of them where the set has colour.
RawImages planes_of(const Part& part, std::int64_t channels) {
  RawImages out{.channels = channels, .labels = part.labels};
  for (const Picture& picture : part.pictures) {
    out.height = picture.height;
    out.width = picture.width;
    const std::int64_t pixels = picture.height * picture.width;
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      const std::int64_t from = picture.channels == 1 ? 0 : channel;
      for (std::int64_t i = 0; i < pixels; ++i) {
        out.pixels.push_back(picture.pixels[static_cast<std::size_t>(i * picture.channels + from)]);
      }
    }
  }
  return out;
}

bool any_colour(const Part& part) {
  return std::any_of(part.pictures.begin(), part.pictures.end(),
                     [](const Picture& picture) { return picture.channels == 3; });
}

// The classes of a part and their pictures. `classes`: those of the training part.
Result<void> read_part(const fs::path& folder, const std::vector<std::string>& classes,
                       Part& part) {
  const auto names = sorted_entries(folder.string(), true);
  if (!names) {
    return names.error();
  }
  for (const std::string& name : *names) {
    const auto known = std::lower_bound(classes.begin(), classes.end(), name);
    if (known == classes.end() || *known != name) {
      return data_error((folder / name).string() + " is a class that the training part lacks",
                        "give both parts the same folders");
    }
    const auto label = static_cast<std::int32_t>(known - classes.begin());
    if (const auto added = add_class(folder / name, label, part); !added) {
      return added;
    }
  }
  return {};
}

bool has(const std::vector<std::string>& names, const char* name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Result<std::vector<std::string>> sorted_entries(const std::string& folder, bool folders) {
  std::error_code failed;
  std::vector<std::string> names;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    std::error_code unknown;
    const std::string name = entry->path().filename().string();
    const bool wanted = folders ? entry->is_directory(unknown) : entry->is_regular_file(unknown);
    if (wanted && !name.starts_with('.')) {
      names.push_back(name);
    }
  }
  if (failed) {
    return data_error(folder + " cannot be listed: " + failed.message(),
                      "point data.path at a folder that may be read");
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> read_pictures(const std::string& path, RawImages& train, RawImages& test,
                           std::int64_t& files) {
  const auto folders = sorted_entries(path, true);
  if (!folders) {
    return folders.error();
  }
  const bool parted = has(*folders, "train");
  const fs::path root(path);
  const fs::path train_folder = parted ? root / "train" : root;
  const auto classes = sorted_entries(train_folder.string(), true);
  if (!classes) {
    return classes.error();
  }
  Part train_part, test_part;
  if (const auto read = read_part(train_folder, *classes, train_part); !read) {
    return read;
  }
  for (const char* name : {"test", "val", "validation"}) {
    if (parted && has(*folders, name) && test_part.pictures.empty()) {
      if (const auto read = read_part(root / name, *classes, test_part); !read) {
        return read;
      }
    }
  }
  const std::int64_t channels = any_colour(train_part) || any_colour(test_part) ? 3 : 1;
  train = planes_of(train_part, channels);
  test = planes_of(test_part, channels);
  files = train.count() + test.count();
  return {};
}

}  // namespace lathe
