// Walks the tree and takes include lines apart.
#include "tests/lint/source_tree.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

namespace lathe::lint {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFolders{".ci",    "app",         "assets/cmake", "assets/configs", "docs",
                              "engine", "experiments", "scripts",      "storage",        "tests",
                              "ui"};

bool is_binary(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".ttf" || extension == ".png" || extension == ".bin" || extension == ".gz";
}

SourceFile read(const fs::path& root, const fs::path& path) {
  SourceFile file{.path = path.lexically_relative(root).generic_string(), .lines = {}};
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    file.lines.push_back(line);
  }
  return file;
}

std::vector<SourceFile> read_tree() {
  const fs::path root = LATHE_SOURCE_DIR;
  std::vector<SourceFile> files;
  const auto add = [&](const fs::path& path) {
    if (fs::is_regular_file(path) && !is_binary(path)) {
      files.push_back(read(root, path));
    }
  };
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    add(entry.path());
  }
  for (const fs::path folder : kFolders) {
    if (fs::exists(root / folder)) {
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root / folder)) {
        add(entry.path());
      }
    }
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

}  // namespace

const std::vector<SourceFile>& source_tree() {
  static const std::vector<SourceFile> files = read_tree();
  return files;
}

bool is_header(std::string_view path) {
  return path.ends_with(".h") || path.ends_with(".cuh");
}

bool is_code(std::string_view path) {
  return is_header(path) || path.ends_with(".cpp") || path.ends_with(".inl") ||
         path.ends_with(".cu");
}

Include parse_include(std::string_view line) {
  if (!line.starts_with("#include ")) {
    return {};
  }
  line.remove_prefix(9);
  const bool quoted = line.starts_with('"');
  const std::size_t end = line.find(quoted ? '"' : '>', 1);
  if (end == std::string_view::npos) {
    return {};
  }
  return {.target = std::string(line.substr(1, end - 1)), .quoted = quoted};
}

}  // namespace lathe::lint
