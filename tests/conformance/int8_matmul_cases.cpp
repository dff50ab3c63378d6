// The product in integers: few and many rows, panels that end early, no outliers, some, and rows of
// zeros; each against the definition in double.
#include <algorithm>
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

struct Product {
  std::int64_t rows, out, in;
  float threshold = 6.0f;
  std::int64_t outlier_every = 0;  // columns, one of which is 20 times as large; 0: none
  bool zero_row = false;
};

// The row's codes, made as the definition says, in f32.
std::vector<double> codes_of(const std::vector<double>& x, const std::vector<bool>& outlier,
                             double& worth) {
  float largest = 0.0f;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = outlier[i] ? largest : std::max(largest, std::fabs(static_cast<float>(x[i])));
  }
  worth = double(largest) / 127.0;
  std::vector<double> codes;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float factor = largest == 0.0f ? 0.0f : 127.0f / largest;
    codes.push_back(outlier[i] ? 0.0 : std::nearbyint(static_cast<float>(x[i]) * factor));
  }
  return codes;
}

std::vector<double> product(const Product& p, const Wide& operands) {
  const std::vector<double>& x = operands.at("x");
  const std::vector<double>& w = operands.at("w");
  const auto in = static_cast<std::size_t>(p.in);
  std::vector<bool> outlier(in, false);
  for (std::size_t i = 0; i < x.size(); ++i) {
    outlier[i % in] = outlier[i % in] || (p.threshold > 0.0f && std::fabs(x[i]) >= p.threshold);
  }
  std::vector<double> y;
  for (std::size_t n = 0; n < static_cast<std::size_t>(p.rows); ++n) {
    const std::vector<double> row(x.begin() + static_cast<std::ptrdiff_t>(n * in),
                                  x.begin() + static_cast<std::ptrdiff_t>((n + 1) * in));
    double worth = 0;
    const std::vector<double> codes = codes_of(row, outlier, worth);
    for (std::size_t o = 0; o < static_cast<std::size_t>(p.out); ++o) {
      double sum = 0;
      for (std::size_t i = 0; i < in; ++i) {
        sum += (outlier[i] ? row[i] : codes[i] * worth) * w[o * in + i];
      }
      y.push_back(sum);
    }
  }
  return y;
}

Case product_case(const Product& p) {
  Case test =
      make_case("int8_matmul", {param("rows", p.rows), param("out", p.out), param("in", p.in),
                                param("threshold", p.threshold), param("outliers", p.outlier_every),
                                param("zeros", int{p.zero_row})});
  test.input("x", Shape{p.rows, p.in});
  std::vector<float>& x = test.operands.at("x").values;
  for (std::size_t i = 0; i < x.size() && p.outlier_every > 0; ++i) {
    const auto column = static_cast<std::int64_t>(i) % p.in;
    x[i] *= column % p.outlier_every == 3 ? 20.0f : 1.0f;
  }
  if (p.zero_row) {
    std::fill_n(x.begin() + p.in, p.in, 0.0f);
  }
  test.packed_input("w", Shape{p.out, p.in}, DType::kInt8Row);
  test.output("y", Shape{p.rows, p.out});
  // As large as the threads of any run need.
  constexpr std::int64_t kThreads = 4;
  const TensorRef w{nullptr, DType::kInt8Row, Shape{p.out, p.in}};
  const std::int64_t scratch = int8_matmul_workspace_elements(w, p.rows, kThreads);
  test.length = p.in;
  test.scale = mean_size(test.operands.at("w").values) * mean_size(x) * std::sqrt(double(p.in));
  test.call = [p, scratch](Backend& backend, const Refs& t) -> std::vector<double> {
    const Tensor workspace(backend.allocator(), DType::kF32, Shape{scratch}, {});
    ops::int8_matmul(backend, {.x = t.at("x"),
                               .w = t.at("w"),
                               .y = t.at("y"),
                               .workspace = workspace,
                               .threshold = p.threshold});
    return {};
  };
  test.expect = [p](const Wide& in) { return Wide{{"y", product(p, in)}}; };
  return test;
}

}  // namespace

std::vector<Case> int8_matmul_cases() {
  std::vector<Case> cases;
  for (const std::int64_t rows : {1, 3, 4, 5, 70}) {
    cases.push_back(product_case({rows, 67, 608}));
    cases.push_back(product_case({rows, 67, 608, 6.0f, 50}));
  }
  cases.push_back(product_case({9, 130, 96, 0.0f, 50}));        // outliers rounded with the rest
  cases.push_back(product_case({9, 130, 288, 6.0f, 0, true}));  // a row of zeros
  cases.push_back(product_case({300, 65, 160, 6.0f, 7}));       // more rows than a thread holds
  cases.push_back(product_case({6, 33, 96, 0.01f}));            // nothing but outliers
  cases.push_back(product_case({2, 33, 96, 0.01f}));
  cases.push_back(product_case({1, 1, 32}));
  cases.push_back(product_case({0, 3, 32}));
  return cases;
}

}  // namespace lathe::conformance
