// The reference pages are what the program says of itself.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "engine/base/result.h"
#include "tests/e2e/lathe_process.h"

namespace lathe::e2e {
namespace {

using ::testing::HasSubstr;

std::string source_text(const std::string& name) {
  std::ifstream in(std::string(LATHE_SOURCE_DIR) + "/" + name);
  EXPECT_TRUE(in.good()) << name;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

using DocsTest = LatheTest;

TEST_F(DocsTest, ParametersPageIsLatheDescribe) {
  const Finished described = lathe({"describe"});
  ASSERT_EQ(described.code, 0);
  EXPECT_EQ(described.out, source_text("docs/reference/parameters.md"))
      << "write it anew: lathe describe > docs/reference/parameters.md";
}

TEST_F(DocsTest, EveryExitCodeIsListed) {
  const std::string page = source_text("docs/exit-codes.md");
  for (const ErrorKind kind :
       {ErrorKind::kFailed, ErrorKind::kUsage, ErrorKind::kDiverged, ErrorKind::kOutOfMemory,
        ErrorKind::kMismatch, ErrorKind::kStore, ErrorKind::kDisk, ErrorKind::kData,
        ErrorKind::kPartial, ErrorKind::kDevice, ErrorKind::kInterrupted}) {
    EXPECT_THAT(page, HasSubstr("| " + std::to_string(exit_code(kind))));
  }
}

TEST_F(DocsTest, EveryConfigThatComesWithTheProgramCanBePlanned) {
  for (const char* name : {"sample", "tiny", "low_rank_tiny", "vision"}) {
    const Finished planned = lathe({"plan", name});
    EXPECT_EQ(planned.code, 0) << name << planned.err;
  }
}

}  // namespace
}  // namespace lathe::e2e
