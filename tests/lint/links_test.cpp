// Pages send readers only to files that are there.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "tests/lint/source_tree.h"

namespace lathe::lint {
namespace {

namespace fs = std::filesystem;

TEST(Links, OfPagesLeadToFiles) {
  const std::regex link("\\]\\(([^)#:]+)(#[^)]*)?\\)");  // addresses of the web have a colon
  std::size_t links = 0;
  for (const SourceFile& file : source_tree()) {
    if (!file.path.ends_with(".md")) {
      continue;
    }
    const fs::path folder = (fs::path(LATHE_SOURCE_DIR) / file.path).parent_path();
    for (const std::string& line : file.lines) {
      for (std::sregex_iterator match(line.begin(), line.end(), link), end; match != end; ++match) {
        ++links;
        EXPECT_TRUE(fs::exists(folder / (*match)[1].str()))
            << file.path << " links to " << (*match)[1].str();
      }
    }
  }
  EXPECT_GT(links, 20U) << "the pages were not found";
}

}  // namespace
}  // namespace lathe::lint
