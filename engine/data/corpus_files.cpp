// Walks folders in sorted order, remembering each by device and inode against loops of links.
#include "engine/data/corpus_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include "engine/base/hash.h"

namespace lathe {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kStandardLibrary = "python-stdlib";
constexpr std::array<std::string_view, 3> kLibraryFolders = {"/usr/lib", "/usr/local/lib",
                                                             "/usr/lib64"};

Error data_error(std::string message, std::string remedy) {
  return Error{
      .kind = ErrorKind::kData, .message = std::move(message), .remedy = std::move(remedy)};
}

// The minor version of "python3.11", or -1.
int minor_version(std::string_view name) {
  constexpr std::string_view kPrefix = "python3.";
  int minor = -1;
  if (name.starts_with(kPrefix)) {
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), end, minor);
    if (error != std::errc() || stop != end) {
      return -1;
    }
  }
  return minor;
}

struct Walk {
  const DataConfig* config = nullptr;
  bool is_library = false;
  std::vector<CorpusFile> files;
  std::set<std::pair<dev_t, ino_t>> visited;
  std::int64_t other_endings = 0;
  std::int64_t empty = 0;
};

bool is_skipped_folder(const std::string& name, bool is_library) {
  constexpr std::array<std::string_view, 5> kNotLibrary = {"dist-packages", "idle_test",
                                                           "site-packages", "test", "tests"};
  return name.starts_with('.') || name == "__pycache__" ||
         (is_library &&
          std::find(kNotLibrary.begin(), kNotLibrary.end(), name) != kNotLibrary.end());
}

bool has_ending(const std::string& name, const std::vector<std::string>& endings) {
  return endings.empty() ||
         std::any_of(endings.begin(), endings.end(),
                     [&](const std::string& ending) { return name.ends_with(ending); });
}

CorpusFile describe(const fs::path& path, const std::string& relative, const struct stat& status) {
  return {.relative = relative,
          .path = path,
          .bytes = status.st_size,
          .modified_ns = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec,
          .hash = xxh3(relative.data(), relative.size())};
}

Result<std::vector<std::string>> sorted_names(const fs::path& folder) {
  std::error_code failed;
  std::vector<std::string> names;
  fs::directory_iterator entry(folder, failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    names.push_back(entry->path().filename().string());
  }
  if (failed) {
    return data_error("cannot read the folder " + folder.string() + ": " + failed.message(),
                      "make it readable, or name another folder as data.path");
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Takes the files of one folder and puts its sub-folders on the list of those still to walk.
Result<void> walk_folder(const fs::path& root, const std::string& below, Walk& walk,
                         std::vector<std::string>& open_folders) {
  const Result<std::vector<std::string>> names = sorted_names(root / below);
  if (!names) {
    return names.error();
  }
  for (const std::string& name : *names) {
    const std::string relative = below.empty() ? name : below + "/" + name;
    const fs::path path = root / relative;
    struct stat status {};
    const bool is_link = walk.is_library && fs::is_symlink(path);
    if (name.starts_with('.') || is_link || stat(path.c_str(), &status) != 0) {
      continue;  // hidden, no part of the library itself, or a link to nowhere
    }
    if (S_ISDIR(status.st_mode)) {
      if (!is_skipped_folder(name, walk.is_library) &&
          walk.visited.emplace(status.st_dev, status.st_ino).second) {
        open_folders.push_back(relative);
      }
    } else if (S_ISREG(status.st_mode)) {
      if (!has_ending(name, walk.config->extensions)) {
        ++walk.other_endings;
      } else if (status.st_size == 0) {
        ++walk.empty;
      } else {
        walk.files.push_back(describe(path, relative, status));
      }
    }
  }
  return {};
}

void order_by_hash(std::vector<CorpusFile>& files) {
  std::sort(files.begin(), files.end(), [](const CorpusFile& a, const CorpusFile& b) {
    return std::tie(a.hash, a.relative) < std::tie(b.hash, b.relative);
  });
}

// Keeps the files that fit, in order; a file that does not fit is passed over.
void keep_within(std::int64_t max_bytes, std::vector<CorpusFile>& files) {
  std::int64_t total = 0;
  std::erase_if(files, [&](const CorpusFile& file) {
    const bool fits = file.bytes <= max_bytes - total;
    total += fits ? file.bytes : 0;
    return !fits;
  });
}

std::string joined(const std::vector<std::string>& endings) {
  std::string text;
  for (const std::string& ending : endings) {
    text += (text.empty() ? "" : ", ") + ending;
  }
  return text;
}

Error nothing_found(const fs::path& root, const Walk& walk) {
  return data_error("the corpus folder " + root.string() +
                        " holds no text: " + std::to_string(walk.other_endings) +
                        " files end in none of " + joined(walk.config->extensions) + ", " +
                        std::to_string(walk.empty) + " are empty",
                    "name a folder with text as data.path, or add the ending to data.extensions");
}

Result<FileList> list_folder(const fs::path& root, Walk walk) {
  struct stat status {};
  if (stat(root.c_str(), &status) == 0) {
    walk.visited.emplace(status.st_dev, status.st_ino);
  }
  std::vector<std::string> open_folders{""};
  while (!open_folders.empty()) {
    const std::string below = std::move(open_folders.back());
    open_folders.pop_back();
    if (const Result<void> walked = walk_folder(root, below, walk, open_folders); !walked) {
      return walked.error();
    }
  }
  if (walk.files.empty()) {
    return nothing_found(root, walk);
  }
  order_by_hash(walk.files);
  if (walk.config->max_bytes > 0) {
    const std::size_t found = walk.files.size();
    keep_within(walk.config->max_bytes, walk.files);
    if (walk.files.empty()) {
      return data_error("data.max_bytes is " + std::to_string(walk.config->max_bytes) +
                            ", less than each of the " + std::to_string(found) + " files in " +
                            root.string(),
                        "raise it, or set it to 0 to take all");
    }
  }
  return FileList{.root = root, .files = std::move(walk.files)};
}

}  // namespace

Result<fs::path> resolve_corpus_path(const std::string& path) {
  if (path != kStandardLibrary) {
    return fs::path(path);
  }
  if (const char* elsewhere = std::getenv("LATHE_CORPUS"); elsewhere && *elsewhere != '\0') {
    return fs::path(elsewhere);
  }
  std::pair<int, fs::path> newest{-1, {}};
  for (const std::string_view folder : kLibraryFolders) {
    std::error_code failed;
    for (fs::directory_iterator entry(folder, failed); !failed && entry != fs::directory_iterator();
         entry.increment(failed)) {
      const int minor = minor_version(entry->path().filename().string());
      if (minor > newest.first && fs::exists(entry->path() / "os.py", failed)) {
        newest = {minor, entry->path()};
      }
    }
  }
  if (newest.first < 0) {
    return data_error(
        "the sample corpus python-stdlib was not found: no /usr/lib/python3.* with sources",
        "install the Python standard library (Debian: libpython3-stdlib), or name a folder of "
        "text as data.path");
  }
  return newest.second;
}

Result<FileList> list_corpus_files(const DataConfig& config) {
  const Result<fs::path> root = resolve_corpus_path(config.path);
  if (!root) {
    return root.error();
  }
  struct stat status {};
  if (config.path.empty() || stat(root->c_str(), &status) != 0) {
    return data_error(
        "the corpus " + (config.path.empty() ? "data.path" : root->string()) +
            (config.path.empty() ? " is empty" : ": " + std::generic_category().message(errno)),
        "name a file or folder of text as data.path, or python-stdlib");
  }
  if (S_ISDIR(status.st_mode)) {
    const bool is_library = config.path == kStandardLibrary && !std::getenv("LATHE_CORPUS");
    Walk walk;
    walk.config = &config;
    walk.is_library = is_library;
    return list_folder(*root, std::move(walk));
  }
  if (!S_ISREG(status.st_mode) || status.st_size == 0) {
    return data_error(
        "the corpus " + root->string() +
            (S_ISREG(status.st_mode) ? " is an empty file" : " is neither a file nor a folder"),
        "name a file or folder of text as data.path");
  }
  return FileList{.root = *root, .files = {describe(*root, root->filename().string(), status)}};
}

}  // namespace lathe
