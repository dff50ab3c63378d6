// The search over shares on functions whose answer is known.
#include "experiments/compress_search.h"

#include <gtest/gtest.h>

#include <limits>

namespace lathe::experiments {
namespace {

TEST(CompressSearchTest, FindsWhereTheRiseIsReached) {
  for (const double wanted : {0.05, 0.3, 0.65, 0.84, 0.91, 0.96, 0.99}) {
    int calls = 0;
    const auto share = least_share(0.01, [&](double at) -> Result<double> {
      ++calls;
      return at >= wanted ? 0.01 : 0.02;
    });
    ASSERT_TRUE(share.ok()) << wanted;
    EXPECT_GE(*share, wanted);
    EXPECT_LT(*share, wanted + 0.003);
    EXPECT_LE(calls, 14);
  }
}

TEST(CompressSearchTest, TakesSharesThatCannotBeHadForTooSmall) {
  const auto share = least_share(0.01, [](double at) -> Result<double> {
    return at < 0.7 ? std::numeric_limits<double>::infinity() : 0.0;
  });
  ASSERT_TRUE(share.ok());
  EXPECT_NEAR(*share, 0.7, 0.003);
}

TEST(CompressSearchTest, SaysWhatFailed) {
  const auto nothing = least_share(0.01, [](double) -> Result<double> { return 1.0; });
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.error().message.find("rises by 1 % or less"), std::string::npos);
  const auto stopped = least_share(0.01, [](double at) -> Result<double> {
    if (at < 0.9) {
      return Error{ErrorKind::kInterrupted, "stopped", ""};
    }
    return 0.0;
  });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
}

}  // namespace
}  // namespace lathe::experiments
