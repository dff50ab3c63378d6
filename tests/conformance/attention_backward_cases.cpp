// Attention backward against the plain formula: with weights p, ds = p (dout v^T - sum_j p dout
// v^T).
#include <cmath>

#include "tests/conformance/attention_cases.h"

namespace lathe::conformance {
namespace {

Wide gradients(const AttentionShape& s, const Wide& in) {
  const PlainAttention plain = plain_attention(s, in);
  Wide grads{{"dq", std::vector<double>(in.at("q").size(), 0.0)},
             {"dk", std::vector<double>(in.at("k").size(), 0.0)},
             {"dv", std::vector<double>(in.at("v").size(), 0.0)}};
  const auto width = static_cast<std::size_t>(s.head_dim);
  const double scale = 1.0 / std::sqrt(double(s.head_dim));
  for (std::int64_t row = 0; row < s.lse().elements(); ++row) {
    const std::int64_t b = row / (s.heads * s.length);
    const std::int64_t head = row / s.length % s.heads;
    const std::int64_t t = row % s.length;
    const double* weights = plain.weights.data() + row * s.keys();
    const std::size_t query = s.query(b, t, head);
    std::vector<double> dweights(static_cast<std::size_t>(s.keys()), 0.0);
    double mean = 0;
    for (std::int64_t j = s.first(b, t); j < s.end(t); ++j) {
      double& dweight = dweights[static_cast<std::size_t>(j)];
      for (std::size_t i = 0; i < width; ++i) {
        dweight += in.at("dout")[query + i] * in.at("v")[s.key(b, j, head) + i];
        grads["dv"][s.key(b, j, head) + i] += weights[j] * in.at("dout")[query + i];
      }
      mean += weights[j] * dweight;
    }
    for (std::int64_t j = s.first(b, t); j < s.end(t); ++j) {
      const double ds = weights[j] * (dweights[static_cast<std::size_t>(j)] - mean) * scale;
      for (std::size_t i = 0; i < width; ++i) {
        grads["dq"][query + i] += ds * in.at("k")[s.key(b, j, head) + i];
        grads["dk"][s.key(b, j, head) + i] += ds * in.at("q")[query + i];
      }
    }
  }
  return grads;
}

Case backward_case(const AttentionShape& shape, Fill fill) {
  Parameters parameters = shape.parameters();
  parameters.push_back(param("fill", fill));
  Case test = make_case("attention_backward", parameters);
  test.input("q", shape.q());
  test.input("k", shape.kv());
  test.input("v", shape.kv());
  test.input("dout", shape.q(), fill);
  test.input("out", shape.q());
  test.input("lse", shape.lse());
  // What forward would have stored.
  const PlainAttention plain =
      plain_attention(shape, {{"q", std::vector<double>(test.operands["q"].values.begin(),
                                                        test.operands["q"].values.end())},
                              {"k", std::vector<double>(test.operands["k"].values.begin(),
                                                        test.operands["k"].values.end())},
                              {"v", std::vector<double>(test.operands["v"].values.begin(),
                                                        test.operands["v"].values.end())}});
  test.operands["out"].values.assign(plain.out.begin(), plain.out.end());
  test.operands["lse"].values.assign(plain.lse.begin(), plain.lse.end());
  shape.add_first_key(test);
  test.output("dq", shape.q());
  test.output("dk", shape.kv());
  test.output("dv", shape.kv());
  test.length = 4 * (shape.keys() + shape.head_dim);
  test.call = [shape](Backend& backend, const Refs& t) -> std::vector<double> {
    const Tensor workspace(backend.allocator(), DType::kF32, shape.workspace(), {});
    ops::attention_backward(backend, {.dout = t.at("dout"),
                                      .q = t.at("q"),
                                      .k = t.at("k"),
                                      .v = t.at("v"),
                                      .out = t.at("out"),
                                      .lse = t.at("lse"),
                                      .dq = t.at("dq"),
                                      .dk = t.at("dk"),
                                      .dv = t.at("dv"),
                                      .workspace = workspace,
                                      .heads = shape.heads,
                                      .kv_heads = shape.kv_heads,
                                      .first_key = shape.packed ? t.at("first_key") : TensorRef{},
                                      .causal = shape.causal});
    return {};
  };
  // `out` and `lse` are rounded inputs, so that the formula, which has them exact, is a few units
  // of the last place away.
  test.scale = fill == Fill::kLarge ? 3e3 : fill == Fill::kDenormal ? 0.0 : 1.0;
  test.expect = [shape](const Wide& in) { return gradients(shape, in); };
  return test;
}

}  // namespace

std::vector<Case> attention_backward_cases() {
  std::vector<Case> cases;
  for (const AttentionShape& shape : attention_shapes()) {
    cases.push_back(backward_case(shape, Fill::kUniform));
  }
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
    cases.push_back(backward_case({1, 70, 2, 1, 8}, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
