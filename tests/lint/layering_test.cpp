// Includes point downwards, and each foreign library stays in its folder.
#include "tests/lint/layering.h"

#include <gtest/gtest.h>

#include "tests/lint/source_tree.h"

namespace lathe::lint {
namespace {

TEST(LayeringRules, AllowDownwardsAndRefuseUpwards) {
  EXPECT_EQ(forbidden_include("engine/nn/linear.cpp", "engine/base/result.h"), "");
  EXPECT_EQ(forbidden_include("app/main.cpp", "ui/window.h"), "");
  EXPECT_EQ(forbidden_include("tests/unit/x.cpp", "app/cli.h"), "");
  EXPECT_EQ(forbidden_include("engine/data/corpus.cpp", "engine/tokenizer/bpe.h"), "");
  EXPECT_NE(forbidden_include("engine/base/json.h", "engine/tensor/shape.h"), "");
  EXPECT_NE(forbidden_include("engine/tokenizer/bpe.h", "engine/data/corpus.h"), "");
  EXPECT_EQ(forbidden_include("engine/io/gguf.cpp", "engine/quant/half.h"), "");
  EXPECT_NE(forbidden_include("engine/optim/adamw.h", "engine/methods/method.h"), "");
  EXPECT_NE(forbidden_include("experiments/replay.h", "storage/run_catalog.h"), "");
  EXPECT_NE(forbidden_include("engine/base/json.h", "json.h"), "");
}

TEST(LayeringRules, KeepTheDoorsOfUiAndStorageNarrow) {
  EXPECT_EQ(forbidden_include("ui/panels/log.cpp", "storage/run_catalog.h"), "");
  EXPECT_NE(forbidden_include("ui/panels/log.cpp", "storage/run_store.h"), "");
  EXPECT_NE(forbidden_include("ui/panels/log.cpp", "experiments/runner.h"), "");
  EXPECT_NE(forbidden_include("ui/panels/log.cpp", "engine/tensor/tensor.h"), "");
  EXPECT_NE(forbidden_include("storage/run_store.h", "engine/tensor/tensor.h"), "");
}

TEST(LayeringRules, FenceLibrariesIn) {
  EXPECT_EQ(forbidden_library("storage/sqlite/connection.cpp", "sqlite3.h"), "");
  EXPECT_NE(forbidden_library("storage/run_store.cpp", "sqlite3.h"), "");
  EXPECT_EQ(forbidden_library("ui/panels/log.cpp", "imgui.h"), "");
  EXPECT_NE(forbidden_library("ui/model/series.cpp", "imgui.h"), "");
  EXPECT_NE(forbidden_library("experiments/runner.cpp", "cuda_runtime.h"), "");
}

TEST(LayeringRules, ReadIncludeLines) {
  EXPECT_EQ(parse_include("#include \"a/b.h\"  // why").target, "a/b.h");
  EXPECT_TRUE(parse_include("#include \"a/b.h\"").quoted);
  EXPECT_EQ(parse_include("#include <vector>").target, "vector");
  EXPECT_EQ(parse_include("// #include <vector>").target, "");
}

TEST(Layering, HoldsForEveryFile) {
  std::size_t includes = 0;
  for (const SourceFile& file : source_tree()) {
    for (const std::string& line : file.lines) {
      const Include include = is_code(file.path) ? parse_include(line) : Include{};
      if (include.target.empty()) {
        continue;
      }
      ++includes;
      const std::string reason = include.quoted ? forbidden_include(file.path, include.target)
                                                : forbidden_library(file.path, include.target);
      EXPECT_EQ(reason, "") << file.path << " includes " << include.target;
    }
  }
  EXPECT_GT(includes, 100U) << "the tree was not found";
}

}  // namespace
}  // namespace lathe::lint
