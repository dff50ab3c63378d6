// Our own files, read once for the lint tests: sources, scripts, CMake lists and pages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lathe::lint {

struct SourceFile {
  std::string path;  // from the repository root, with slashes
  std::vector<std::string> lines;
};

// All text files of the tree in path order; build folders and binary assets are not among them.
const std::vector<SourceFile>& source_tree();

// .h, .cpp, .inl, .cu or .cuh
bool is_code(std::string_view path);
bool is_header(std::string_view path);

// What `#include "x"` (quoted) or `#include <x>` names; empty where the line is no include.
struct Include {
  std::string target;
  bool quoted = false;
};
Include parse_include(std::string_view line);

}  // namespace lathe::lint
