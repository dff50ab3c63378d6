// Rotary embedding as a complex product: (a + ib) e^(i angle).
#include <cmath>
#include <complex>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

struct Rotation {
  std::int64_t batch, length, heads, head_dim;
  std::int64_t first_position = 0;
  float theta = 10000.0f;
  bool inverse = false;
  bool positioned = false;  // positions are given row by row
  RopePairs pairs = RopePairs::kHalves;
  RopeScaling scaling = {};
};

// As in Hugging Face's configs: by wavelength.
double frequency(const Rotation& r, std::size_t pair) {
  const double plain = 1.0 / std::pow(double(r.theta), 2.0 * double(pair) / double(r.head_dim));
  if (r.scaling.kind == RopeScalingKind::kLinear) {
    return plain / r.scaling.factor;
  }
  const double wavelength = 2.0 * std::acos(-1.0) / plain;
  if (r.scaling.kind == RopeScalingKind::kNone ||
      wavelength < r.scaling.original_context / r.scaling.high) {
    return plain;
  }
  if (wavelength > r.scaling.original_context / r.scaling.low) {
    return plain / r.scaling.factor;
  }
  const double smooth =
      (r.scaling.original_context / wavelength - r.scaling.low) / (r.scaling.high - r.scaling.low);
  return (1.0 - smooth) * plain / r.scaling.factor + smooth * plain;
}

Wide rotated(const Rotation& r, const Wide& in) {
  std::vector<double> x = in.at("x");
  const auto half = static_cast<std::size_t>(r.head_dim / 2);
  for (std::size_t start = 0; start < x.size(); start += 2 * half) {
    const std::int64_t row = static_cast<std::int64_t>(start) / (r.heads * r.head_dim);
    const double position = r.positioned ? in.at("positions")[static_cast<std::size_t>(row)]
                                         : double(r.first_position + row % r.length);
    for (std::size_t i = 0; i < half; ++i) {
      const double angle = position * frequency(r, i) * (r.inverse ? -1 : 1);
      const bool halves = r.pairs == RopePairs::kHalves;
      double& low = x[start + (halves ? i : 2 * i)];
      double& high = x[start + (halves ? i + half : 2 * i + 1)];
      const auto turned = std::complex<double>(low, high) * std::polar(1.0, angle);
      low = turned.real();
      high = turned.imag();
    }
  }
  return {{"x", x}};
}

Case rotation_case(const Rotation& r, Fill fill) {
  Case test =
      make_case("rope", {param("batch", r.batch), param("length", r.length),
                         param("heads", r.heads), param("head_dim", r.head_dim),
                         param("first", r.first_position), param("theta", r.theta),
                         param("inverse", int{r.inverse}), param("positioned", int{r.positioned}),
                         param("interleaved", int{r.pairs == RopePairs::kInterleaved}),
                         param("scaling", static_cast<int>(r.scaling.kind)), param("fill", fill)});
  if (r.positioned) {
    test.ids("positions", Shape{r.batch, r.length}, 300);
  }
  test.in_out("x", Shape{r.batch, r.length, r.heads * r.head_dim}, fill);
  test.call = [r](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::rope(backend, {.x = t.at("x"),
                        .heads = r.heads,
                        .theta = r.theta,
                        .first_position = r.first_position,
                        .inverse = r.inverse,
                        .positions = r.positioned ? t.at("positions") : TensorRef{},
                        .pairs = r.pairs,
                        .scaling = r.scaling});
    return {};
  };
  test.expect = [r](const Wide& in) { return rotated(r, in); };
  return test;
}

}  // namespace

std::vector<Case> rope_cases() {
  std::vector<Case> cases;
  for (const bool inverse : {false, true}) {
    for (const Rotation& r : std::vector<Rotation>{{1, 1, 1, 2},
                                                   {2, 7, 3, 10},
                                                   {2, 65, 4, 48, 3},
                                                   {1, 33, 2, 64, 1000, 500000.0f},
                                                   {1, 5, 1, 34},
                                                   {1, 2, 2, 260}}) {
      Rotation turn = r;
      turn.inverse = inverse;
      cases.push_back(rotation_case(turn, Fill::kUniform));
      turn.positioned = true;
      cases.push_back(rotation_case(turn, Fill::kUniform));
      turn.pairs = RopePairs::kInterleaved;
      turn.scaling = {.kind = RopeScalingKind::kLinear, .factor = 4.0};
      cases.push_back(rotation_case(turn, Fill::kUniform));
      turn.scaling = {.kind = RopeScalingKind::kLlama3, .factor = 32.0, .original_context = 512};
      cases.push_back(rotation_case(turn, Fill::kUniform));
    }
  }
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
    cases.push_back(rotation_case({2, 3, 2, 6}, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
