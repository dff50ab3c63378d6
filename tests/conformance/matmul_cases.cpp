// Matrix products: every layout, skinny shapes, alpha and beta.
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

struct Product {
  std::int64_t m, n, k;
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1.0f;
  float beta = 0.0f;
};

Wide product(const Product& p, const Wide& in) {
  const std::vector<double>& a = in.at("a");
  const std::vector<double>& b = in.at("b");
  std::vector<double> c(static_cast<std::size_t>(p.m * p.n), 0.0);
  // Summed from the last term to the first, unlike the reference.
  for (std::int64_t step = p.k - 1; step >= 0; --step) {
    for (std::int64_t i = 0; i < p.m; ++i) {
      for (std::int64_t j = 0; j < p.n; ++j) {
        c[static_cast<std::size_t>(i * p.n + j)] +=
            double(p.alpha) *
            a[static_cast<std::size_t>(p.transpose_a ? step * p.m + i : i * p.k + step)] *
            b[static_cast<std::size_t>(p.transpose_b ? j * p.k + step : step * p.n + j)];
      }
    }
  }
  for (std::size_t i = 0; p.beta != 0.0f && i < c.size(); ++i) {
    c[i] += double(p.beta) * in.at("c")[i];
  }
  return {{"c", c}};
}

Case product_case(const Product& p, Fill fill) {
  Case test =
      make_case("matmul", {param("m", p.m), param("n", p.n), param("k", p.k),
                           param("ta", int{p.transpose_a}), param("tb", int{p.transpose_b}),
                           param("alpha", p.alpha), param("beta", p.beta), param("fill", fill)});
  test.input("a", p.transpose_a ? Shape{p.k, p.m} : Shape{p.m, p.k}, fill);
  test.input("b", p.transpose_b ? Shape{p.n, p.k} : Shape{p.k, p.n}, fill);
  if (p.beta == 0.0f) {
    test.output("c", Shape{p.m, p.n});
  } else {
    test.in_out("c", Shape{p.m, p.n}, fill);
  }
  test.length = p.k;
  const double size = fill == Fill::kLarge ? 3e3 * 3e3 : fill == Fill::kDenormal ? 0.0 : 1.0;
  test.scale = size * std::sqrt(double(p.k)) / 3.0;
  test.call = [p](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::matmul(backend, {.a = t.at("a"),
                          .b = t.at("b"),
                          .c = t.at("c"),
                          .transpose_a = p.transpose_a,
                          .transpose_b = p.transpose_b,
                          .alpha = p.alpha,
                          .beta = p.beta});
    return {};
  };
  test.expect = [p](const Wide& in) { return product(p, in); };
  return test;
}

// c = op(a) op(b) with a bias, or with the sums of a transposed a.
Case linear_case(const Product& p, bool with_bias, bool with_sums) {
  Case test = product_case(p, Fill::kUniform);
  test.name += std::string(with_bias ? " bias" : "") + (with_sums ? " sums" : "");
  if (with_bias) {
    test.input("bias", Shape{p.n});
  }
  if (with_sums && p.beta == 0.0f) {
    test.output("sums", Shape{p.m});
  } else if (with_sums) {
    test.in_out("sums", Shape{p.m});
  }
  test.call = [=](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::matmul(backend, {.a = t.at("a"),
                          .b = t.at("b"),
                          .c = t.at("c"),
                          .transpose_a = p.transpose_a,
                          .transpose_b = p.transpose_b,
                          .beta = p.beta,
                          .bias = with_bias ? t.at("bias") : TensorRef{},
                          .a_sums = with_sums ? t.at("sums") : TensorRef{}});
    return {};
  };
  test.expect = [=](const Wide& in) {
    Wide out = product(p, in);
    for (std::size_t i = 0; with_bias && i < out.at("c").size(); ++i) {
      out["c"][i] += in.at("bias")[i % static_cast<std::size_t>(p.n)];
    }
    if (with_sums) {
      std::vector<double>& sums = out["sums"];
      sums.assign(static_cast<std::size_t>(p.m), 0.0);
      for (std::size_t i = 0; i < sums.size(); ++i) {
        sums[i] = p.beta == 0.0f ? 0.0 : in.at("sums")[i];
        for (std::size_t step = 0; step < static_cast<std::size_t>(p.k); ++step) {
          sums[i] += in.at("a")[step * sums.size() + i];
        }
      }
    }
    return out;
  };
  return test;
}

}  // namespace

std::vector<Case> matmul_cases() {
  std::vector<Case> cases;
  for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{
           {1, 1, 1}, {7, 13, 65}, {129, 3, 17}, {2, 257, 31}, {64, 48, 128}, {5, 4, 1025}}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        cases.push_back(product_case({m, n, k, ta, tb}, Fill::kUniform));
      }
    }
  }
  cases.push_back(product_case({33, 17, 29, false, true, 0.5f, 1.0f}, Fill::kUniform));
  cases.push_back(product_case({33, 17, 29, true, false, -1.0f, 0.25f}, Fill::kUniform));
  cases.push_back(product_case({0, 6, 3}, Fill::kUniform));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(product_case({19, 11, 37, false, true}, fill));
  }
  // Extents that libraries with an epilogue like, and others.
  for (const auto& [m, n, k] : std::vector<std::array<std::int64_t, 3>>{
           {16, 24, 40}, {64, 48, 128}, {7, 13, 65}, {1, 9, 3}}) {
    cases.push_back(linear_case({m, n, k, false, true}, true, false));
    cases.push_back(linear_case({m, n, k, true, false, 1.0f, 1.0f}, true, false));
    for (const float beta : {0.0f, 1.0f}) {
      cases.push_back(linear_case({m, n, k, true, false, 1.0f, beta}, false, true));
    }
    cases.push_back(linear_case({m, n, k, true, true}, true, true));
  }
  return cases;
}

}  // namespace lathe::conformance
