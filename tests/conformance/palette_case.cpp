// See palette_case.h.
#include "tests/conformance/palette_case.h"

#include <algorithm>

namespace lathe::conformance {
namespace {

void set_values(Case& test, const std::string& name, const std::vector<float>& values) {
  test.operands[name].values = values;
}

// Codes of numbers in [-2, 2], the first of them 0; how often each is there, once to nine times.
std::vector<float> counts_of_codes(const PaletteCase& c) {
  std::vector<float> counts(static_cast<std::size_t>(kPaletteCodes));
  const std::vector<float> drawn = filled(Fill::kUniform, c.points, 77);
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const float x = i == 0 ? 0.0f : 2.0f * drawn[i];
    const std::uint16_t code = c.type == DType::kF16 ? half_of_float(x) : bf16_of_float(x);
    counts[code] += static_cast<float>(1 + i % 9);
  }
  return counts;
}

}  // namespace

Case make_palette_case(const std::string& op, const PaletteCase& c,
                       const std::vector<std::pair<std::string, std::string>>& more) {
  Parameters parameters{
      param("points", c.points), param("clusters", c.clusters),
      param("dim", c.dim),       {"kind", c.codes ? std::string(dtype_name(c.type)) : "listed"},
      param("tau", c.tau),       param("floor", c.floor),
      param("spread", c.spread)};
  parameters.insert(parameters.end(), more.begin(), more.end());
  Case test = make_case(op, parameters);
  test.input("c", Shape{c.clusters, c.dim});
  for (float& value : test.operands["c"].values) {
    value *= c.spread;
  }
  test.input("tau", Shape{1});
  set_values(test, "tau", {c.tau});
  if (c.codes) {
    test.input("counts", Shape{kPaletteCodes});
    set_values(test, "counts", counts_of_codes(c));
  } else {
    test.input("x", Shape{c.points, c.dim});
  }
  test.length = 16 + c.points;
  return test;
}

std::vector<PaletteCase> palette_shapes() {
  std::vector<PaletteCase> shapes{{.points = 1, .clusters = 1},
                                  {.points = 0, .clusters = 3},
                                  {.points = 7, .clusters = 8, .floor = 1e-7f},
                                  {.points = 700, .clusters = 8, .tau = 0.05f},
                                  {.points = 33, .clusters = 5, .dim = 2},
                                  {.points = 129, .clusters = 16, .dim = 3, .floor = 1e-3f},
                                  {.points = 65, .clusters = 11, .dim = 4},
                                  {.points = 40, .clusters = 256, .dim = 1},
                                  {.points = 9, .clusters = 256, .dim = 4},
                                  {.points = 50, .clusters = 6, .tau = 1e-3f, .spread = 40.0f}};
  for (const DType type : {DType::kF16, DType::kBf16}) {
    shapes.push_back({.points = 1, .clusters = 2, .codes = true, .type = type});
    shapes.push_back({.points = 900, .clusters = 8, .codes = true, .type = type, .tau = 0.05f});
    shapes.push_back({.points = 60, .clusters = 40, .codes = true, .type = type, .floor = 1e-3f});
  }
  return shapes;
}

PalettePoints points_of(const PaletteCase& c, const Refs& t) {
  return {.x = c.codes ? TensorRef{} : t.at("x"),
          .codes = c.type,
          .counts = c.codes ? t.at("counts") : TensorRef{}};
}

PaletteCentroids centroids_of(const PaletteCase& c, const Refs& t) {
  return {.c = t.at("c"), .tau = t.at("tau"), .floor = c.floor};
}

std::vector<WidePoint> wide_points(const PaletteCase& c, const Wide& in) {
  std::vector<WidePoint> points;
  const auto dim = static_cast<std::size_t>(c.dim);
  if (!c.codes) {
    const std::vector<double>& x = in.at("x");
    for (std::size_t i = 0; i < static_cast<std::size_t>(c.points); ++i) {
      const auto first = x.begin() + static_cast<std::ptrdiff_t>(i * dim);
      points.push_back({i, 1.0, {first, first + static_cast<std::ptrdiff_t>(dim)}});
    }
    return points;
  }
  for (std::size_t u = 0; u < in.at("counts").size(); ++u) {
    const auto bits = static_cast<std::uint16_t>(u);
    if (in.at("counts")[u] != 0.0) {
      const float x = c.type == DType::kF16 ? float_of_half(bits) : float_of_bf16(bits);
      points.push_back({u, in.at("counts")[u], {double(x)}});
    }
  }
  return points;
}

std::vector<Complex> attention(const PaletteCase& c, const std::vector<Complex>& x,
                               const std::vector<Complex>& centroids, double tau) {
  std::vector<Complex> a;
  double highest = -1e300;
  for (std::size_t j = 0; j < centroids.size() / x.size(); ++j) {
    Complex square = 0.0;
    for (std::size_t e = 0; e < x.size(); ++e) {
      const Complex off = x[e] - centroids[j * x.size() + e];
      square += off * off;
    }
    a.push_back(-square / tau);
    highest = std::max(highest, a.back().real());
  }
  Complex total = 0.0;
  for (Complex& value : a) {
    value = std::exp(value - highest);
    total += value;
  }
  for (Complex& value : a) {
    value /= total;
    value = value.real() > double(c.floor) ? value : Complex(double(c.floor));
  }
  return a;
}

std::vector<double> attention(const PaletteCase& c, const WidePoint& point, const Wide& in) {
  const std::vector<Complex> wide = attention(
      c, {point.x.begin(), point.x.end()}, {in.at("c").begin(), in.at("c").end()}, in.at("tau")[0]);
  std::vector<double> a;
  std::transform(wide.begin(), wide.end(), std::back_inserter(a),
                 [](Complex value) { return value.real(); });
  return a;
}

Wide iterated(const PaletteCase& c, const Wide& in) {
  std::vector<double> mass(static_cast<std::size_t>(c.clusters));
  std::vector<double> next(static_cast<std::size_t>(c.clusters * c.dim));
  for (const WidePoint& point : wide_points(c, in)) {
    const std::vector<double> a = attention(c, point, in);
    for (std::size_t i = 0; i < next.size(); ++i) {
      next[i] += point.count * a[i / point.x.size()] * point.x[i % point.x.size()];
    }
    for (std::size_t j = 0; j < a.size(); ++j) {
      mass[j] += point.count * a[j];
    }
  }
  for (std::size_t i = 0; i < next.size(); ++i) {
    const double of = mass[i / static_cast<std::size_t>(c.dim)];
    next[i] = of == 0.0 ? in.at("c")[i] : next[i] / of;
  }
  return {{"mass", mass}, {"next", next}};
}

Case make_coded_case(const std::string& op, const CodedCase& c) {
  Case test = make_case(op, {param("rows", c.rows),
                             param("cols", c.cols),
                             {"weights", c.bf16_weights ? "bf16" : "f32"},
                             {"codes", std::string(dtype_name(c.codes))},
                             {"scaled", c.scaled ? "yes" : "no"},
                             param("fill", c.fill)});
  if (c.bf16_weights) {
    test.packed_input("w", Shape{c.rows, c.cols}, DType::kBf16);
  } else {
    test.input("w", Shape{c.rows, c.cols}, c.fill);
  }
  if (c.scaled) {
    test.input("scales", Shape{c.rows});
    for (float& scale : test.operands["scales"].values) {
      scale = 0.25f + std::fabs(scale);
    }
  }
  test.length = std::max<std::int64_t>(1, c.rows * c.cols);
  return test;
}

std::vector<CodedCase> coded_shapes() {
  std::vector<CodedCase> shapes{
      {.rows = 0, .cols = 4},
      {.rows = 1, .cols = 1},
      {.rows = 3, .cols = 5, .codes = DType::kBf16},
      {.rows = 7, .cols = 65, .scaled = true},
      {.rows = 5, .cols = 33, .bf16_weights = true, .codes = DType::kBf16},
      {.rows = 5, .cols = 33, .bf16_weights = true, .scaled = true},
      {.rows = 129, .cols = 1200},
      {.rows = 2, .cols = 20001, .codes = DType::kBf16, .scaled = true}};
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
    shapes.push_back({.rows = 11, .cols = 17, .fill = fill});
  }
  return shapes;
}

CodedWeights weights_of(const CodedCase& c, const Refs& t) {
  return {.w = t.at("w"), .codes = c.codes, .scales = c.scaled ? t.at("scales") : TensorRef{}};
}

double wide_scale(const CodedCase& c, const Wide& in, std::size_t weight) {
  return c.scaled ? in.at("scales")[weight / static_cast<std::size_t>(c.cols)] : 1.0;
}

std::vector<std::size_t> wide_codes(const CodedCase& c, const Wide& in) {
  std::vector<std::size_t> codes;
  for (std::size_t i = 0; i < in.at("w").size(); ++i) {
    const auto x = static_cast<float>(in.at("w")[i]) / static_cast<float>(wide_scale(c, in, i));
    codes.push_back(c.codes == DType::kF16 ? half_of_float(x) : bf16_of_float(x));
  }
  return codes;
}

}  // namespace lathe::conformance
