// Attention over kept keys and values against the plain formula.
#include <algorithm>
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

struct Extents {
  std::int64_t rows, keys, heads, kv_heads, head_dim;
  std::int64_t window = 0;
};

// Channel 0 of a head of a row.
const double* at(const std::vector<double>& x, std::int64_t row, std::int64_t heads,
                 std::int64_t head, std::int64_t head_dim) {
  return x.data() + (row * heads + head) * head_dim;
}

std::vector<double> attended(const Extents& e, const Wide& in) {
  std::vector<double> out(in.at("q").size(), 0.0);
  for (std::int64_t t = 0; t < e.rows; ++t) {
    for (std::int64_t head = 0; head < e.heads; ++head) {
      const std::int64_t kv_head = head * e.kv_heads / e.heads;
      const double* q = at(in.at("q"), t, e.heads, head, e.head_dim);
      double* mixed = out.data() + (t * e.heads + head) * e.head_dim;
      double total = 0.0;
      for (std::int64_t j = e.keys - e.rows + t; j >= 0; --j) {
        if (e.window > 0 && e.keys - e.rows + t - j >= e.window) {
          break;
        }
        const double* k = at(in.at("k"), j, e.kv_heads, kv_head, e.head_dim);
        const double* v = at(in.at("v"), j, e.kv_heads, kv_head, e.head_dim);
        double dot = 0.0;
        for (std::int64_t i = 0; i < e.head_dim; ++i) {
          dot += q[i] * k[i];
        }
        const double weight = std::exp(dot / std::sqrt(double(e.head_dim)));
        total += weight;
        for (std::int64_t i = 0; i < e.head_dim; ++i) {
          mixed[i] += weight * v[i];
        }
      }
      std::for_each(mixed, mixed + e.head_dim, [total](double& value) { value /= total; });
    }
  }
  return out;
}

Case cached_case(const Extents& e) {
  Case test =
      make_case("attention_cached", {param("rows", e.rows), param("keys", e.keys),
                                     param("heads", e.heads), param("kv_heads", e.kv_heads),
                                     param("head_dim", e.head_dim), param("window", e.window)});
  test.input("q", Shape{e.rows, e.heads * e.head_dim});
  test.input("k", Shape{e.keys, e.kv_heads * e.head_dim});
  test.input("v", Shape{e.keys, e.kv_heads * e.head_dim});
  test.output("out", Shape{e.rows, e.heads * e.head_dim});
  test.length = e.head_dim + e.keys;
  test.scale = 0.5;
  // For four threads.
  const std::int64_t scratch = attention_cached_workspace_elements(e.keys, 4);
  test.call = [e, scratch](Backend& backend, const Refs& t) -> std::vector<double> {
    const Tensor workspace(backend.allocator(), DType::kF32, Shape{scratch}, {});
    ops::attention_cached(backend, {.q = t.at("q"),
                                    .k = t.at("k"),
                                    .v = t.at("v"),
                                    .out = t.at("out"),
                                    .workspace = workspace,
                                    .heads = e.heads,
                                    .kv_heads = e.kv_heads,
                                    .window = e.window});
    return {};
  };
  test.expect = [e](const Wide& in) { return Wide{{"out", attended(e, in)}}; };
  return test;
}

}  // namespace

std::vector<Case> attention_cached_cases() {
  return {cached_case({1, 1, 1, 1, 2}),      cached_case({1, 37, 2, 1, 6}),
          cached_case({1, 300, 9, 3, 64}),   cached_case({5, 5, 2, 2, 16}),
          cached_case({7, 70, 4, 2, 33}),    cached_case({1, 90, 2, 1, 48, 16}),
          cached_case({9, 40, 2, 2, 20, 4}), cached_case({3, 300, 6, 2, 128, 100}),
          cached_case({20, 90, 2, 1, 72}),   cached_case({2, 150, 4, 2, 258})};
}

}  // namespace lathe::conformance
