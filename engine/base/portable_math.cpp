// Range reduction and plain series; coefficients are computed or named by their source.
#include "engine/base/portable_math.h"

#include <cmath>
#include <cstdint>
#include <limits>

namespace lathe::portable {
namespace {

constexpr double kLn2High = 0x1.62e42fee00000p-1;  // 32 bits, so that k * kLn2High is exact
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kInverseLn2 = 0x1.71547652b82fep+0;
constexpr double kHalfPiHigh = 0x1.921fb54400000p+0;  // 33 bits
constexpr double kHalfPiMiddle = 0x1.0b4611a600000p-34;
constexpr double kHalfPiLow = 0x1.3198a2e037073p-69;
constexpr double kTwoOverSqrtPi = 0x1.20dd750429b6dp+0;

// sin(r) and cos(r) by their Taylor series, |r| <= pi/4.
double sin_series(double r) {
  const double square = r * r;
  double term = r;
  double sum = r;
  for (int n = 3; n <= 19; n += 2) {
    term *= -square / (n * (n - 1));
    sum += term;
  }
  return sum;
}

double cos_series(double r) {
  const double square = r * r;
  double term = 1.0;
  double sum = 1.0;
  for (int n = 2; n <= 20; n += 2) {
    term *= -square / (n * (n - 1));
    sum += term;
  }
  return sum;
}

// sin(x + quadrant * pi/2).
double sin_of_quadrant(double x, std::int64_t quadrant) {
  if (!std::isfinite(x)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const double k = std::nearbyint(x / kHalfPiHigh);
  const double r = ((x - k * kHalfPiHigh) - k * kHalfPiMiddle) - k * kHalfPiLow;
  switch ((static_cast<std::int64_t>(k) + quadrant) & 3) {
    case 0:
      return sin_series(r);
    case 1:
      return cos_series(r);
    case 2:
      return -sin_series(r);
    default:
      return -cos_series(r);
  }
}

// Coefficients c[0] + c[1] x + ..., by Horner's rule.
template <int kCount>
double polynomial(const double (&c)[kCount], double x) {
  double sum = c[kCount - 1];
  for (int i = kCount - 2; i >= 0; --i) {
    sum = sum * x + c[i];
  }
  return sum;
}

}  // namespace

double exp(double x) {
  if (std::isnan(x)) {
    return x;
  }
  if (x > 709.8) {
    return std::numeric_limits<double>::infinity();
  }
  if (x < -745.2) {
    return 0.0;
  }
  const double k = std::nearbyint(x * kInverseLn2);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1.0;
  for (int n = 14; n >= 1; --n) {
    sum = 1.0 + sum * r / n;
  }
  return std::ldexp(sum, static_cast<int>(k));
}

double log(double x) {
  if (std::isnan(x) || x < 0.0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (x == 0.0) {
    return -std::numeric_limits<double>::infinity();
  }
  if (std::isinf(x)) {
    return x;
  }
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // in [0.5, 1)
  if (mantissa < 0x1.6a09e667f3bcdp-1) {
    mantissa *= 2.0;
    --exponent;
  }
  // log(m) = 2 artanh(s), s = (m - 1) / (m + 1), |s| < 0.172.
  const double s = (mantissa - 1.0) / (mantissa + 1.0);
  const double square = s * s;
  double sum = 0.0;
  for (int n = 23; n >= 3; n -= 2) {
    sum = sum * square + 1.0 / n;
  }
  const double tail = 2.0 * s * square * sum + exponent * kLn2Low;
  return exponent * kLn2High + (2.0 * s + tail);
}

double tanh(double x) {
  const double size = std::fabs(x);
  if (size >= 20.0) {
    return std::copysign(1.0, x);
  }
  if (size >= 1.0) {
    return std::copysign(1.0 - 2.0 / (exp(2.0 * size) + 1.0), x);
  }
  // Lambert's continued fraction: x / (1 + x^2 / (3 + x^2 / (5 + ...))).
  const double square = x * x;
  double fraction = 25.0;
  for (int n = 23; n >= 1; n -= 2) {
    fraction = n + square / fraction;
  }
  return x / fraction;
}

double erf(double x) {
  const double size = std::fabs(x);
  if (size > 6.0) {
    return std::copysign(1.0, x);
  }
  // 2/sqrt(pi) exp(-x^2) sum of 2^n x^(2n+1) / (1 * 3 * ... * (2n+1)): all terms of one sign.
  const double square = x * x;
  double term = x;
  double sum = x;
  for (int n = 1; n < 200 && std::fabs(term) > 1e-18 * std::fabs(sum); ++n) {
    term *= 2.0 * square / (2 * n + 1);
    sum += term;
  }
  return kTwoOverSqrtPi * exp(-square) * sum;
}

double sin(double x) {
  return sin_of_quadrant(x, 0);
}

double cos(double x) {
  return sin_of_quadrant(x, 1);
}

double pow(double base, double exponent) {
  return exp(exponent * log(base));
}

double normal_quantile(double p) {
  static constexpr double kA[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                                  1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                  4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                  3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr double kB[] = {1.0,
                                  4.2313330701600911252e+1,
                                  6.8718700749205790830e+2,
                                  5.3941960214247511077e+3,
                                  2.1213794301586595867e+4,
                                  3.9307895800092710610e+4,
                                  2.8729085735721942674e+4,
                                  5.2264952788528545610e+3};
  static constexpr double kC[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                  5.76949722146069140550e0,  3.64784832476320460504e0,
                                  1.27045825245236838258e0,  2.41780725177450611770e-1,
                                  2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double kD[] = {1.0,
                                  2.05319162663775882187e0,
                                  1.67638483018380384940e0,
                                  6.89767334985100004550e-1,
                                  1.48103976427480074590e-1,
                                  1.51986665636164571966e-2,
                                  5.47593808499534494600e-4,
                                  1.05075007164441684324e-9};
  static constexpr double kE[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                                  1.78482653991729133580e0,  2.96560571828504891230e-1,
                                  2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                  2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double kF[] = {1.0,
                                  5.99832206555887937690e-1,
                                  1.36929880922735805310e-1,
                                  1.48753612908506148525e-2,
                                  7.86869131145613259100e-4,
                                  1.84631831751005468180e-5,
                                  1.42151175831644588870e-7,
                                  2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kA, r) / polynomial(kB, r);
  }
  const double tail = std::sqrt(-log(q < 0.0 ? p : 1.0 - p));
  const double size = tail <= 5.0 ? polynomial(kC, tail - 1.6) / polynomial(kD, tail - 1.6)
                                  : polynomial(kE, tail - 5.0) / polynomial(kF, tail - 5.0);
  return q < 0.0 ? -size : size;
}

}  // namespace lathe::portable
