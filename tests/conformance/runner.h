// Runs a case on a back end under guard and compares what came out.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/conformance/case.h"
#include "tests/conformance/tolerance.h"

namespace lathe::conformance {

// Everything an op wrote, and what it should have left alone.
struct Outcome {
  std::map<std::string, std::vector<float>> outputs;
  std::set<std::string> rounded;  // outputs that are stored in bf16
  std::vector<double> host;
  // Violations: guard bands overwritten, inputs changed.
  std::vector<std::string> violations;
};

// Elements before and behind each tensor. The second leaves tensors where rows of odd widths begin:
// at addresses that only an element divides. The third is for the address sanitizer, which sees
// reads beyond a block as well.
inline constexpr std::int64_t kGuard = 64;
inline constexpr std::int64_t kUnalignedGuard = kGuard + 1;
inline constexpr std::int64_t kNoGuard = 0;

// Fresh tensors between guard bands; outputs hold NaN before the call.
Outcome run_case(const Case& test, Backend& backend, std::int64_t guard = kGuard);

// An empty text, or what differs: first the class (NaN, infinities), then the normalised error and
// the worst element, of what goes beyond an element's leeway, if there is any.
std::string difference(const std::vector<float>& got, const std::vector<double>& want,
                       const Tolerance& tolerance, double scale,
                       const std::vector<double>& leeway = {});

// True if the bits agree (NaN equals NaN).
bool same_bits(const Outcome& a, const Outcome& b);

// The inputs of a case in double, for its formula.
Wide wide_inputs(const Case& test);

// What a case's formula allows beside rounding; nothing where it has none.
Wide leeway_of(const Case& test);

// What cpu_ref makes of a case: the truth for every other back end.
Wide reference_outcome(const Case& test);

bool has_op(const Backend& backend, const std::string& op);

// GoogleTest failures for each violation, and for each output that is not close to `want`.
void expect_no_violations(const Outcome& outcome);
void expect_close(const Outcome& got, const Wide& want, const Tolerance& tolerance, double scale,
                  const Wide& leeway = {});

}  // namespace lathe::conformance
