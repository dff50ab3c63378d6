// One soft step of k-means.
#include "tests/conformance/palette_case.h"

namespace lathe::conformance {

std::vector<Case> palette_iterate_cases() {
  std::vector<Case> cases;
  for (const PaletteCase& c : palette_shapes()) {
    Case test = make_palette_case("palette_iterate", c);
    test.output("next", Shape{c.clusters, c.dim});
    test.output("mass", Shape{c.clusters});
    test.call = [c](Backend& backend, const Refs& t) -> std::vector<double> {
      const Tensor workspace(backend.allocator(), DType::kF64,
                             Shape{kPointShares, c.clusters * (c.dim + 1)}, {});
      ops::palette_iterate(backend, {.points = points_of(c, t),
                                     .centroids = centroids_of(c, t),
                                     .next = t.at("next"),
                                     .mass = t.at("mass"),
                                     .workspace = workspace});
      return {};
    };
    test.expect = [c](const Wide& in) { return iterated(c, in); };
    cases.push_back(std::move(test));
  }
  return cases;
}

}  // namespace lathe::conformance
