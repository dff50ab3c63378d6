// The portable functions against the C library's, at and around every change of method.
#include "engine/base/portable_math.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lathe {
namespace {

using Function = double (*)(double);

void expect_close(const char* name, Function ours, Function theirs, double lo, double hi,
                  double tolerance) {
  for (int i = 0; i <= 20000; ++i) {
    const double x = lo + (hi - lo) * i / 20000.0;
    const double want = theirs(x);
    EXPECT_NEAR(ours(x), want, tolerance * std::max(1e-3, std::fabs(want)))
        << name << "(" << x << ")";
  }
}

TEST(PortableMath, AgreesWithTheCLibrary) {
  expect_close("exp", portable::exp, std::exp, -40.0, 40.0, 1e-14);
  expect_close("log", portable::log, std::log, 1e-6, 50.0, 1e-14);
  expect_close("tanh", portable::tanh, std::tanh, -22.0, 22.0, 1e-14);
  expect_close("erf", portable::erf, std::erf, -6.5, 6.5, 1e-14);
  expect_close("sin", portable::sin, std::sin, -5000.0, 5000.0, 1e-12);
  expect_close("cos", portable::cos, std::cos, -5000.0, 5000.0, 1e-12);
}

TEST(PortableMath, HasTheLimitsOfTheFunctions) {
  EXPECT_EQ(portable::exp(-INFINITY), 0.0);
  EXPECT_EQ(portable::exp(0.0), 1.0);
  EXPECT_EQ(portable::exp(1000.0), INFINITY);
  EXPECT_TRUE(std::isnan(portable::exp(NAN)));
  EXPECT_EQ(portable::log(0.0), -INFINITY);
  EXPECT_EQ(portable::log(1.0), 0.0);
  EXPECT_TRUE(std::isnan(portable::log(-1.0)));
  EXPECT_EQ(portable::tanh(INFINITY), 1.0);
  EXPECT_TRUE(std::isnan(portable::tanh(NAN)));
  EXPECT_TRUE(std::isnan(portable::erf(NAN)));
  EXPECT_NEAR(portable::pow(10000.0, -0.5), 0.01, 1e-15);
  EXPECT_EQ(portable::pow(0.0, 3.0), 0.0);
}

TEST(PortableMath, NormalQuantileInvertsTheDistribution) {
  for (const double p : {1e-9, 1e-4, 0.02, 0.074, 0.076, 0.3, 0.5, 0.7, 0.93, 0.99, 1.0 - 1e-6}) {
    const double z = portable::normal_quantile(p);
    EXPECT_NEAR(0.5 * std::erfc(-z / std::sqrt(2.0)) / p, 1.0, 1e-10) << p;
  }
}

}  // namespace
}  // namespace lathe
