// Files stay small, open with what they are, leave no TODO without an owner and name no host of a
// package registry.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <set>

#include "tests/lint/source_tree.h"

namespace lathe::lint {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFileLines = 600;
constexpr std::size_t kWishedFileLines = 400;
constexpr std::size_t kMaxHeaderLines = 200;
constexpr std::size_t kMaxFunctionLines = 100;
constexpr std::size_t kWishedFunctionLines = 60;

// Files that may be longer, each with the reason.
const std::map<std::string, std::string, std::less<>>& longer_allowed() {
  static const std::map<std::string, std::string, std::less<>> allowed{
      {"experiments/events.h", "the whole protocol between runner and sinks on one page"},
  };
  return allowed;
}

TEST(FileShape, NoFileIsTooLong) {
  for (const SourceFile& file : source_tree()) {
    if (!is_code(file.path) || longer_allowed().contains(file.path)) {
      continue;
    }
    const std::size_t limit = is_header(file.path) ? kMaxHeaderLines : kMaxFileLines;
    EXPECT_LE(file.lines.size(), limit) << file.path << ": split it, or give a reason in this test";
    if (file.lines.size() > kWishedFileLines) {
      std::cout << "long: " << file.path << " has " << file.lines.size() << " lines\n";
    }
  }
}

// In formatted code a function that is no member body starts at the left edge and ends with a lone
// brace there; what lies between is indented.
TEST(FileShape, NoFunctionIsTooLong) {
  for (const SourceFile& file : source_tree()) {
    std::size_t start = 0;
    for (std::size_t i = 0; is_code(file.path) && i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      if (line == "}") {
        const std::size_t length = i - start + 1;
        EXPECT_LE(length, kMaxFunctionLines) << file.path << ':' << start + 1 << ": split it";
        if (length > kWishedFunctionLines) {
          std::cout << "long: " << file.path << ':' << start + 1 << ", " << length << " lines\n";
        }
      } else if (!line.empty() && line.front() != ' ') {
        start = i;
      }
    }
  }
}

TEST(FileShape, AllowListNamesFilesThatExist) {
  for (const auto& [path, reason] : longer_allowed()) {
    EXPECT_TRUE(fs::exists(fs::path(LATHE_SOURCE_DIR) / path)) << path;
    EXPECT_FALSE(reason.empty()) << path;
  }
}

// Whether a file's first line (after #!) says what it is, as its kind can. JSON and Markdown have
// no comments, a CMakeLists.txt is a plain list.
bool opens_with_comment(const SourceFile& file) {
  const bool interpreted = !file.lines.empty() && file.lines.front().starts_with("#!");
  const std::size_t first = interpreted ? 1 : 0;
  const std::string line = file.lines.size() > first ? file.lines[first] : "";
  if (is_code(file.path)) {
    return line.starts_with("// ");
  }
  if (file.path.ends_with(".py")) {
    return line.starts_with("# ") || line.starts_with("\"\"\"");
  }
  const bool script = interpreted || file.path.starts_with("scripts/");
  return !(script || file.path.ends_with(".cmake")) || line.starts_with("# ");
}

TEST(FileShape, EveryFileOpensWithWhatItIs) {
  for (const SourceFile& file : source_tree()) {
    EXPECT_TRUE(opens_with_comment(file)) << file.path << " opens without a comment";
  }
}

TEST(FileShape, HeadersAreGuardedByPragmaOnce) {
  for (const SourceFile& file : source_tree()) {
    if (is_header(file.path)) {
      EXPECT_NE(std::ranges::find(file.lines, "#pragma once"), file.lines.end()) << file.path;
    }
  }
}

TEST(FileShape, EveryTodoHasAnOwner) {
  const std::regex ownerless("\\bTODO(?!\\([a-z])");
  for (const SourceFile& file : source_tree()) {
    if (file.path == "tests/lint/file_shape_test.cpp" || file.path.ends_with(".md")) {
      continue;
    }
    for (const std::string& line : file.lines) {
      EXPECT_FALSE(std::regex_search(line, ownerless)) << file.path << ": " << line;
    }
  }
}

// Host names out of this machine's apt and pip settings, without the public ones.
std::set<std::string> private_hosts() {
  const std::set<std::string> known{"deb.debian.org", "security.debian.org", "pypi.org",
                                    "files.pythonhosted.org", "snapshot.debian.org"};
  std::vector<fs::path> files{"/etc/apt/sources.list", "/etc/pip.conf"};
  const fs::path lists = "/etc/apt/sources.list.d";
  if (fs::exists(lists)) {
    for (const fs::directory_entry& entry : fs::directory_iterator(lists)) {
      files.push_back(entry.path());
    }
  }
  std::string text;
  for (const char* name : {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"}) {
    const char* value = std::getenv(name);
    text += value == nullptr ? "" : std::string(value) + "\n";
  }
  for (const fs::path& file : files) {
    std::ifstream in(file);
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  std::set<std::string> hosts;
  const std::regex url("https?://(?:[^/@\\s]*@)?([A-Za-z0-9.-]+)");
  for (std::sregex_iterator match(text.begin(), text.end(), url), end; match != end; ++match) {
    if (!known.contains((*match)[1].str())) {
      hosts.insert((*match)[1].str());
    }
  }
  return hosts;
}

TEST(FileShape, NoFileNamesTheRegistryOfThisMachine) {
  const std::set<std::string> hosts = private_hosts();
  for (const SourceFile& file : source_tree()) {
    for (const std::string& line : file.lines) {
      for (const std::string& host : hosts) {
        EXPECT_EQ(line.find(host), std::string::npos) << file.path << " names a private host";
      }
    }
  }
}

}  // namespace
}  // namespace lathe::lint
