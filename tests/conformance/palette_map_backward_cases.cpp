// The gradient of an iteration by maps in memory: that of the same listed points.
#include <map>

#include "tests/conformance/palette_slopes.h"

namespace lathe::conformance {
namespace {

struct MapCase {
  PaletteCase of;
  bool apply = true, wants_dc = true;
  bool indexed = false;  // a row for each distinct value
};

// The maps of these points, as whoever made them would have left them.
void add_maps(Case& test, const MapCase& m) {
  const std::vector<float>& x = test.operands["x"].values;
  std::map<float, std::int32_t> rows;
  std::vector<float> listed;
  for (const float value : x) {
    if (!m.indexed || rows.emplace(value, static_cast<std::int32_t>(rows.size())).second) {
      listed.push_back(value);
    }
  }
  const Wide in{{"c", {test.operands["c"].values.begin(), test.operands["c"].values.end()}},
                {"tau", {double(m.of.tau)}}};
  const Shape shape{static_cast<std::int64_t>(listed.size()), m.of.clusters};
  test.input("distance", shape);
  test.input("attention", shape);
  PaletteCase plain = m.of;
  plain.floor = 0.0f;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const std::vector<double> p = attention(plain, {.x = {double(listed[i])}}, in);
    for (std::size_t j = 0; j < p.size(); ++j) {
      test.operands["attention"].values[i * p.size() + j] = static_cast<float>(p[j]);
      test.operands["distance"].values[i * p.size() + j] =
          static_cast<float>(std::fabs(double(listed[i]) - in.at("c")[j]));
    }
  }
  test.ids("ranks", Shape{kPaletteCodes}, 1);
  for (const auto& [value, row] : rows) {
    test.operands["ranks"].ids[half_of_float(value)] = row;
  }
}

std::vector<double> call_backward(const MapCase& m, Backend& backend, const Refs& t) {
  const std::int64_t clusters = m.of.clusters;
  const Tensor workspace(backend.allocator(), DType::kF64, Shape{kPointShares, clusters * 2}, {});
  const auto map = [&](const char* name) {
    return PaletteMap{.values = t.at(name),
                      .index = m.indexed ? t.at("x") : TensorRef{},
                      .ranks = m.indexed ? t.at("ranks") : TensorRef{}};
  };
  ops::palette_map_backward(backend,
                            {.distance = map("distance"),
                             .square = map("distance"),
                             .softmax = map("attention"),
                             .floor = map("attention"),
                             .update = map("attention"),
                             .output = m.apply ? map("attention") : PaletteMap{},
                             .x_distance = t.at("x"),
                             .x_update = t.at("x"),
                             .centroids = {.c = t.at("c"), .tau = t.at("tau"), .floor = m.of.floor},
                             .next = t.at("next"),
                             .mass = t.at("mass"),
                             .dnext = t.at("dnext"),
                             .g = t.at("g"),
                             .dc = m.wants_dc ? t.at("dc") : TensorRef{},
                             .workspace = workspace,
                             .apply = m.apply});
  return {};
}

// With `apply` the gradient of next is the op's own.
Wide expected(const MapCase& m, const Wide& given) {
  Wide in = given;
  if (m.apply) {
    in["dnext"].assign(static_cast<std::size_t>(m.of.clusters), 0.0);
    for (const WidePoint& point : wide_points(m.of, in)) {
      const std::vector<double> a = attention(m.of, point, in);
      for (std::size_t j = 0; j < a.size(); ++j) {
        in["dnext"][j] += a[j] * in.at("g")[point.index];
      }
    }
  }
  Wide out = backward_formula({.of = m.of, .apply = m.apply, .wants_dc = m.wants_dc}, in);
  out["dnext"] = in["dnext"];
  return out;
}

Case backward_case(const MapCase& m) {
  const PaletteCase& c = m.of;
  Case test =
      make_case("palette_map_backward",
                {param("points", c.points), param("clusters", c.clusters), param("tau", c.tau),
                 param("floor", c.floor), param("apply", m.apply ? 1 : 0),
                 param("dc", m.wants_dc ? 1 : 0), param("indexed", m.indexed ? 1 : 0)});
  test.packed_input("x", Shape{c.points, 1}, DType::kF16);
  test.input("c", Shape{c.clusters, 1});
  test.input("tau", Shape{1});
  test.operands["tau"].values = {c.tau};
  add_maps(test, m);
  test.input("next", Shape{c.clusters, 1});
  test.input("mass", Shape{c.clusters});
  for (std::size_t j = 0; j < test.operands["mass"].values.size(); ++j) {
    float& mass = test.operands["mass"].values[j];
    mass = j == 1 ? 0.0f : 1.0f + std::fabs(mass);  // one without any
  }
  test.in_out("dnext", Shape{c.clusters, 1});
  test.in_out("g", Shape{c.points, 1});
  if (m.wants_dc) {
    test.output("dc", Shape{c.clusters, 1});
  }
  test.length = 16 + c.points;
  test.scale = 16.0 / double(c.tau);  // of terms that cancel
  test.call = [m](Backend& backend, const Refs& t) { return call_backward(m, backend, t); };
  test.expect = [m](const Wide& in) { return expected(m, in); };
  return test;
}

}  // namespace

std::vector<Case> palette_map_backward_cases() {
  std::vector<Case> cases;
  for (const PaletteCase& c :
       {PaletteCase{.points = 1, .clusters = 1}, PaletteCase{.points = 0, .clusters = 3},
        PaletteCase{.points = 7, .clusters = 8, .floor = 1e-7f},
        PaletteCase{.points = 700, .clusters = 8},
        PaletteCase{.points = 60, .clusters = 40, .floor = 1e-3f},
        PaletteCase{.points = 20, .clusters = 256}}) {
    cases.push_back(backward_case({.of = c}));
    cases.push_back(backward_case({.of = c, .indexed = true}));
  }
  const PaletteCase c{.points = 37, .clusters = 8};
  cases.push_back(backward_case({.of = c, .apply = false}));
  cases.push_back(backward_case({.of = c, .wants_dc = false}));
  return cases;
}

}  // namespace lathe::conformance
