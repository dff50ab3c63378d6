// XDG folders follow the environment; assets are found in the order promised.
#include "engine/base/paths.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace lathe {
namespace {

namespace fs = std::filesystem;

TEST(Paths, XdgVariablesAreHonouredAndRelativeOnesIgnored) {
  setenv("HOME", "/home/reader", 1);
  setenv("XDG_DATA_HOME", "/srv/data", 1);
  EXPECT_EQ(data_dir(), "/srv/data/lathe");
  setenv("XDG_DATA_HOME", "relative", 1);
  EXPECT_EQ(data_dir(), "/home/reader/.local/share/lathe");
  unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(cache_dir(), "/home/reader/.cache/lathe");
}

TEST(Paths, AssetsOfTheEnvironmentComeFirst) {
  const fs::path root = fs::temp_directory_path() / "lathe_paths_test";
  fs::create_directories(root / "configs");
  std::ofstream(root / "configs" / "only_here.json") << "{}";
  unsetenv("LATHE_ASSETS");
  EXPECT_FALSE(find_asset("configs/only_here.json").has_value());
  setenv("LATHE_ASSETS", root.c_str(), 1);
  EXPECT_TRUE(find_asset("configs/only_here.json").has_value());
  unsetenv("LATHE_ASSETS");
  EXPECT_TRUE(find_asset("cmake/LatheTargets.cmake").has_value());  // the source tree
  fs::remove_all(root);
}

}  // namespace
}  // namespace lathe
