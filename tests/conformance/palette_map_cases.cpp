// The whole maps of distances and attention.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {
namespace {

struct MapCase {
  std::int64_t weights = 7, clusters = 4;
  DType codes = DType::kF16, maps = DType::kF32;
  float floor = 0.0f;
  bool floored = false, distances = true;
};

Wide expected(const MapCase& m, const Wide& in) {
  const PaletteCase of{.clusters = m.clusters, .floor = m.floored ? m.floor : 0.0f};
  Wide out{{"attention", {}}, {"distances", {}}};
  for (const double w : in.at("w")) {
    const auto rounded = static_cast<float>(w);
    const WidePoint point{.index = 0,
                          .count = 1,
                          .x = {m.codes == DType::kF16 ? float_of_half(half_of_float(rounded))
                                                       : float_of_bf16(bf16_of_float(rounded))}};
    const std::vector<double> a = attention(of, point, in);
    out["attention"].insert(out["attention"].end(), a.begin(), a.end());
    for (const double c : in.at("c")) {
      out["distances"].push_back(std::fabs(point.x[0] - c));
    }
  }
  if (!m.distances) {
    out.erase("distances");
  }
  return out;
}

}  // namespace

std::vector<Case> palette_map_cases() {
  std::vector<Case> cases;
  for (const MapCase& m :
       {MapCase{.weights = 1, .clusters = 1}, MapCase{.weights = 0}, MapCase{.clusters = 256},
        MapCase{.weights = 700, .clusters = 8, .codes = DType::kBf16},
        MapCase{.weights = 65, .clusters = 8, .maps = DType::kBf16},
        MapCase{.weights = 65, .clusters = 8, .floor = 0.05f, .floored = true, .distances = false},
        MapCase{.weights = 65, .clusters = 8, .floor = 0.05f}}) {
    Case test = make_case("palette_map", {param("weights", m.weights),
                                          param("clusters", m.clusters),
                                          {"codes", std::string(dtype_name(m.codes))},
                                          {"maps", std::string(dtype_name(m.maps))},
                                          param("floor", m.floor),
                                          param("floored", m.floored ? 1 : 0)});
    test.input("w", Shape{m.weights, 1});
    test.input("c", Shape{m.clusters, 1});
    test.input("tau", Shape{1});
    test.operands["tau"].values = {0.1f};
    test.output("attention", Shape{m.weights, m.clusters}, m.maps);
    if (m.distances) {
      test.output("distances", Shape{m.weights, m.clusters}, m.maps);
    }
    test.length = 16;
    test.call = [m](Backend& backend, const Refs& t) -> std::vector<double> {
      ops::palette_map(backend,
                       {.weights = {.w = t.at("w"), .codes = m.codes},
                        .centroids = {.c = t.at("c"), .tau = t.at("tau"), .floor = m.floor},
                        .distances = m.distances ? t.at("distances") : TensorRef{},
                        .attention = t.at("attention"),
                        .floored = m.floored});
      return {};
    };
    test.expect = [m](const Wide& in) { return expected(m, in); };
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace lathe::conformance
