// Products with stored weights: every type, both directions, few and many rows, widths that end
// within a chunk.
#include <cmath>

#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

struct Product {
  DType dtype;
  std::int64_t rows, out, in;
  bool transpose = true;
  float beta = 0.0f;
};

std::vector<double> product(const Product& p, const Wide& operands) {
  const std::vector<double>& x = operands.at("x");
  const std::vector<double>& w = operands.at("w");
  const std::int64_t y_cols = p.transpose ? p.out : p.in;
  const std::int64_t terms = p.transpose ? p.in : p.out;
  std::vector<double> y(static_cast<std::size_t>(p.rows * y_cols));
  for (std::int64_t n = 0; n < p.rows; ++n) {
    for (std::int64_t j = 0; j < y_cols; ++j) {
      double sum = 0;
      for (std::int64_t t = terms - 1; t >= 0; --t) {
        const std::int64_t at = p.transpose ? j * p.in + t : t * p.in + j;
        sum += x[static_cast<std::size_t>(n * terms + t)] * w[static_cast<std::size_t>(at)];
      }
      const auto index = static_cast<std::size_t>(n * y_cols + j);
      y[index] = sum + (p.beta == 0.0f ? 0.0 : double(p.beta) * operands.at("y")[index]);
    }
  }
  return y;
}

Case product_case(const Product& p) {
  Case test = make_case("packed_matmul", {{"w", std::string(dtype_name(p.dtype))},
                                          param("rows", p.rows),
                                          param("out", p.out),
                                          param("in", p.in),
                                          param("tw", int{p.transpose}),
                                          param("beta", p.beta)});
  const std::int64_t terms = p.transpose ? p.in : p.out;
  const Shape y{p.rows, p.transpose ? p.out : p.in};
  test.input("x", Shape{p.rows, terms});
  test.packed_input("w", Shape{p.out, p.in}, p.dtype);
  if (p.beta == 0.0f) {
    test.output("y", y);
  } else {
    test.in_out("y", y);
  }
  // As large as the threads of any run need.
  constexpr std::int64_t kThreads = 4;
  const TensorRef w{nullptr, p.dtype, Shape{p.out, p.in}};
  const std::int64_t scratch = packed_matmul_workspace_elements(w, p.rows, p.transpose, kThreads);
  test.length = terms;
  test.scale = mean_size(test.operands.at("w").values) * std::sqrt(double(terms)) / 2.0;
  test.call = [p, scratch](Backend& backend, const Refs& t) -> std::vector<double> {
    Tensor workspace;
    if (scratch > 0) {
      workspace = Tensor(backend.allocator(), DType::kF32, Shape{scratch}, {});
    }
    ops::packed_matmul(backend, {.x = t.at("x"),
                                 .w = t.at("w"),
                                 .y = t.at("y"),
                                 .workspace = workspace,
                                 .transpose_w = p.transpose,
                                 .beta = p.beta});
    return {};
  };
  test.expect = [p](const Wide& in) { return Wide{{"y", product(p, in)}}; };
  return test;
}

}  // namespace

std::vector<Case> packed_matmul_cases() {
  std::vector<Case> cases;
  for (int type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (!is_packed(dtype)) {
      continue;
    }
    const std::int64_t block = dtype_layout(dtype).block_elements;
    const std::int64_t in = block == 256 ? 512 : block >= 64 ? 640 : block == 48 ? 624 : 608;
    const std::int64_t out = spqr_bits(dtype) > 0 ? 80 : palette_form(dtype).bits > 0 ? 66 : 67;
    cases.push_back(product_case({dtype, 1, out, in}));
    cases.push_back(product_case({dtype, 9, out, in}));
    cases.push_back(product_case({dtype, 5, out, in, false}));
    if (has_tables(dtype)) {
      cases.push_back(product_case({dtype, 3, 32, in, true, 0.5f}));
    }
    if (has_tables(dtype) && palette_form(dtype).bits % 4 == 0) {  // several panels
      cases.push_back(product_case({dtype, 9, 304, 1024 - 1024 % block, false, 1.0f}));
    }
  }
  for (const std::int64_t rows : {2, 3, 4, 5}) {
    cases.push_back(product_case({DType::kQ8_0, rows, 130, 288}));
    cases.push_back(product_case({DType::kF16, rows, 33, 17, true, 0.5f}));
    cases.push_back(product_case({DType::kF16, rows, 33, 17, false, 1.0f}));
  }
  for (const DType dtype : {DType::kF16, DType::kQ8_0, DType::kQ4_1}) {
    cases.push_back(product_case({dtype, 1, 66, 96, true, 0.5f}));
    cases.push_back(product_case({dtype, 1, 3, 96}));
  }
  for (int bits = 1; bits <= kMostPaletteBits; ++bits) {  // blocks that no four fill
    cases.push_back(product_case({palette_dtype(bits, 1), 1, 3, 112}));
  }
  cases.push_back(product_case({DType::kBf16, 1, 1, 1}));
  cases.push_back(product_case({DType::kQ4_K, 0, 3, 256}));
  return cases;
}

}  // namespace lathe::conformance
