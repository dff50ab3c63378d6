// See moment_formula.h.
#include "tests/conformance/moment_formula.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "tests/conformance/tolerance.h"

namespace lathe::conformance {
namespace {

constexpr std::size_t kBlock = 256;

// Ascending; a code is a place in it.
std::vector<double> make_levels(bool has_sign) {
  std::vector<double> levels{0.0, 1.0};
  for (int decade = 0; decade < 7; ++decade) {
    const int parts = (has_sign ? 1 : 2) << decade;
    for (int part = 0; part < parts; ++part) {
      const double exact = std::pow(10.0, decade - 6) * (0.1 + 0.9 * (part + 0.5) / parts);
      const double level = static_cast<float>(exact);
      levels.push_back(level);
      if (has_sign) {
        levels.push_back(-level);
      }
    }
  }
  std::sort(levels.begin(), levels.end());
  return levels;
}

const std::vector<double>& levels_of(bool has_sign) {
  static const std::vector<double> kSigned = make_levels(true);
  static const std::vector<double> kUnsigned = make_levels(false);
  return has_sign ? kSigned : kUnsigned;
}

// The nearest level of x's sign; 0 alone becomes 0.
double code_of(double x, bool has_sign) {
  const std::vector<double>& levels = levels_of(has_sign);
  std::size_t best = levels.size();
  for (std::size_t code = 0; code < levels.size(); ++code) {
    const bool of_sign = x == 0.0 ? levels[code] == 0.0 : levels[code] * x > 0.0;
    if (of_sign &&
        (best == levels.size() || std::fabs(levels[code] - x) < std::fabs(levels[best] - x))) {
      best = code;
    }
  }
  return static_cast<double>(best);
}

// By block; 1 where all are 0.
double divisor(const std::vector<double>& values, std::size_t element) {
  const std::size_t first = element / kBlock * kBlock;
  double largest = 0.0;
  for (std::size_t i = first; i < std::min(values.size(), first + kBlock); ++i) {
    largest = std::max(largest, std::fabs(double(static_cast<float>(values[i]))));
  }
  return largest > 0.0 ? largest : 1.0;
}

}  // namespace

std::vector<double> decoded(const std::vector<double>& codes, const std::vector<double>& absmax,
                            bool has_sign) {
  std::vector<double> values;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    values.push_back(levels_of(has_sign)[static_cast<std::size_t>(codes[i])] * absmax[i / kBlock]);
  }
  return values;
}

void encode(const std::vector<double>& values, bool has_sign, std::vector<double>& codes,
            std::vector<double>& absmax) {
  codes.clear();
  absmax.clear();
  for (std::size_t first = 0; first < values.size(); first += kBlock) {
    const std::size_t end = std::min(values.size(), first + kBlock);
    const double by = divisor(values, first);
    double largest = 0.0;
    for (std::size_t i = first; i < end; ++i) {
      const double value = static_cast<float>(values[i]);
      largest = std::max(largest, std::fabs(value));
      codes.push_back(code_of(value / by, has_sign));
    }
    absmax.push_back(largest);
  }
}

std::vector<double> code_leeway(const std::vector<double>& values, const std::vector<double>& size,
                                bool has_sign) {
  constexpr double kLeastFloat = std::numeric_limits<float>::denorm_min();
  std::vector<double> leeway;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double by = divisor(values, i);
    const double value = static_cast<float>(values[i]) / by;
    const double code = code_of(value, has_sign);
    const double error =
        size[i] == 0.0 ? 0.0 : (16.0 * kEpsilon * size[i] + 4.0 * kLeastFloat) / by;
    double furthest = 0.0;
    for (const double other : {value - error, value + error}) {
      const double reached = code_of(has_sign ? other : std::max(0.0, other), has_sign);
      furthest = std::max(furthest, std::fabs(reached - code));
    }
    leeway.push_back(furthest);
  }
  return leeway;
}

}  // namespace lathe::conformance
