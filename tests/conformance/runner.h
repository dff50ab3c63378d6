// Runs a case on a back end under guard and compares what came out.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/conformance/case.h"
#include "tests/conformance/tolerance.h"

namespace lathe::conformance {

// Everything an op wrote, and what it should have left alone.
struct Outcome {
  std::map<std::string, std::vector<float>> outputs;
  std::vector<double> host;
  // Violations: guard bands overwritten, inputs changed.
  std::vector<std::string> violations;
};

// Fresh tensors between guard bands; outputs hold NaN before the call.
Outcome run_case(const Case& test, Backend& backend);

// An empty text, or what differs: first the class (NaN, infinities), then the normalised error and
// the worst element.
std::string difference(const std::vector<float>& got, const std::vector<double>& want,
                       const Tolerance& tolerance, double scale);

// True if the bits agree (NaN equals NaN).
bool same_bits(const Outcome& a, const Outcome& b);

// The inputs of a case in double, for its formula.
Wide wide_inputs(const Case& test);

}  // namespace lathe::conformance
