// Moments in 8 bits by definition, in double: the levels decade by decade, and the nearest of all.
// A moment's values are divided by the largest size among 256 neighbours.
#pragma once

#include <vector>

namespace lathe::conformance {

// What codes (their numbers) and absmax stand for.
std::vector<double> decoded(const std::vector<double>& codes, const std::vector<double>& absmax,
                            bool has_sign);

// The codes and absmax of values.
void encode(const std::vector<double>& values, bool has_sign, std::vector<double>& codes,
            std::vector<double>& absmax);

// How many codes further each value may come to lie where single precision works out what adds up
// to it from terms of that size.
std::vector<double> code_leeway(const std::vector<double>& values, const std::vector<double>& size,
                                bool has_sign);

}  // namespace lathe::conformance
