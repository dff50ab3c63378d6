// What the cases of differentiable k-means share: points of different kinds around centroids, and
// as the formula of their attention one over complex numbers, whose imaginary parts carry
// derivatives (the complex step), so that nothing of the ops' backward is in it.
#pragma once

#include <cmath>
#include <complex>
#include <string>
#include <vector>

#include "engine/ops/palette_args.h"
#include "engine/quant/half.h"
#include "tests/conformance/case.h"

namespace lathe::conformance {

struct PaletteCase {
  std::int64_t points = 7;  // listed, or codes that are there
  std::int64_t clusters = 4, dim = 1;
  bool codes = false;
  DType type = DType::kF16;  // of codes
  float tau = 0.3f, floor = 0.0f;
  // How far centroids lie apart, so that those far off have no mass.
  float spread = 1.0f;
};

Case make_palette_case(const std::string& op, const PaletteCase& c,
                       const std::vector<std::pair<std::string, std::string>>& more = {});

// The shapes that all of these ops are tried with.
std::vector<PaletteCase> palette_shapes();

PalettePoints points_of(const PaletteCase& c, const Refs& t);
PaletteCentroids centroids_of(const PaletteCase& c, const Refs& t);

// A point that is there: its place in tensors of all, how often, its numbers.
struct WidePoint {
  std::size_t index = 0;
  double count = 1;
  std::vector<double> x;
};
std::vector<WidePoint> wide_points(const PaletteCase& c, const Wide& in);

using Complex = std::complex<double>;
// The attention of a point to centroids.
std::vector<Complex> attention(const PaletteCase& c, const std::vector<Complex>& x,
                               const std::vector<Complex>& centroids, double tau);
// The same of real numbers.
std::vector<double> attention(const PaletteCase& c, const WidePoint& point, const Wide& in);

// next and mass of one iteration, in double.
Wide iterated(const PaletteCase& c, const Wide& in);

// Weights as CodedWeights for the ops that look up, and their codes in the formula.
struct CodedCase {
  std::int64_t rows = 3, cols = 5;
  bool bf16_weights = false;
  DType codes = DType::kF16;
  bool scaled = false;
  Fill fill = Fill::kUniform;
};
Case make_coded_case(const std::string& op, const CodedCase& c);
std::vector<CodedCase> coded_shapes();
CodedWeights weights_of(const CodedCase& c, const Refs& t);
// The code of each weight, and the scale of its row.
std::vector<std::size_t> wide_codes(const CodedCase& c, const Wide& in);
double wide_scale(const CodedCase& c, const Wide& in, std::size_t weight);

}  // namespace lathe::conformance
