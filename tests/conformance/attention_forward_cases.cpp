// Attention forward against the plain formula.
#include <cmath>

#include "tests/conformance/attention_cases.h"

namespace lathe::conformance {

Parameters AttentionShape::parameters() const {
  return {param("batch", batch),        param("length", length),     param("heads", heads),
          param("kv_heads", kv_heads),  param("head_dim", head_dim), param("before", before),
          param("packed", int{packed}), param("causal", int{causal})};
}

std::int32_t AttentionShape::first(std::int64_t b, std::int64_t t) const {
  if (!packed) {
    return 0;
  }
  const std::int64_t sample = b % 2 == 0 ? 5 : 37;
  return static_cast<std::int32_t>((before + t) / sample * sample);
}

std::vector<std::int32_t> AttentionShape::first_keys() const {
  std::vector<std::int32_t> all;
  for (std::int64_t row = 0; row < batch * length; ++row) {
    all.push_back(first(row / length, row % length));
  }
  return all;
}

void AttentionShape::add_first_key(Case& test) const {
  if (packed) {
    test.ids("first_key", Shape{batch, length}, 1);
    test.operands["first_key"].ids = first_keys();
  }
}

std::size_t AttentionShape::query(std::int64_t b, std::int64_t t, std::int64_t head) const {
  return static_cast<std::size_t>(((b * length + t) * heads + head) * head_dim);
}

std::size_t AttentionShape::key(std::int64_t b, std::int64_t t, std::int64_t head) const {
  const std::int64_t kv_head = head * kv_heads / heads;
  return static_cast<std::size_t>(((b * keys() + t) * kv_heads + kv_head) * head_dim);
}

std::vector<AttentionShape> attention_shapes() {
  return {{1, 1, 1, 1, 2},
          {1, 7, 2, 2, 6},
          {2, 13, 4, 2, 16},
          {1, 63, 1, 1, 33},
          {1, 64, 2, 1, 48},
          {2, 65, 3, 1, 48},
          {1, 129, 2, 2, 64},
          {1, 200, 1, 1, 18},
          {1, 1, 3, 1, 48, 130},
          {2, 5, 2, 1, 16, 64},
          {1, 70, 2, 1, 10, 37},
          {1, 130, 1, 1, 8, 128},
          {2, 150, 2, 1, 16, 0, true},
          {2, 90, 2, 2, 6, 100, true},
          {2, 3, 2, 1, 34, 201, true},
          {1, 70, 2, 1, 80},
          {1, 67, 2, 1, 128, 3},
          {1, 35, 1, 1, 200},
          {2, 9, 2, 1, 260, 131, true},
          {2, 1, 1, 1, 4, 0, false, false},
          {2, 17, 2, 2, 16, 0, false, false},
          {1, 50, 4, 2, 24, 0, false, false},
          {2, 65, 3, 1, 48, 0, false, false},
          {1, 130, 1, 1, 64, 0, false, false},
          {1, 5, 2, 1, 10, 70, false, false},
          {2, 90, 2, 2, 6, 40, true, false},
          {1, 67, 2, 1, 128, 0, false, false},
          {1, 35, 1, 1, 200, 0, false, false},
          {1, 9, 2, 1, 260, 131, false, false}};
}

PlainAttention plain_attention(const AttentionShape& s, const Wide& in) {
  const auto square = static_cast<std::size_t>(s.batch * s.heads * s.length * s.keys());
  PlainAttention result{std::vector<double>(in.at("q").size(), 0.0),
                        std::vector<double>(static_cast<std::size_t>(s.lse().elements())),
                        std::vector<double>(square, 0.0)};
  const auto width = static_cast<std::size_t>(s.head_dim);
  for (std::int64_t row = 0; row < s.lse().elements(); ++row) {
    const std::int64_t b = row / (s.heads * s.length);
    const std::int64_t head = row / s.length % s.heads;
    const std::int64_t t = row % s.length;
    double* weights = result.weights.data() + row * s.keys();
    const std::size_t query = s.query(b, t, head);
    double top = -1e300;
    for (std::int64_t j = s.first(b, t); j < s.end(t); ++j) {
      for (std::size_t i = 0; i < width; ++i) {
        weights[j] += in.at("q")[query + i] * in.at("k")[s.key(b, j, head) + i];
      }
      weights[j] /= std::sqrt(double(s.head_dim));
      top = std::fmax(top, weights[j]);
    }
    double sum = 0;
    for (std::int64_t j = s.first(b, t); j < s.end(t); ++j) {
      weights[j] = std::exp(weights[j] - top);
      sum += weights[j];
    }
    for (std::int64_t j = s.first(b, t); j < s.end(t); ++j) {
      weights[j] /= sum;
      for (std::size_t i = 0; i < width; ++i) {
        result.out[query + i] += weights[j] * in.at("v")[s.key(b, j, head) + i];
      }
    }
    result.lse[static_cast<std::size_t>(row)] = top + std::log(sum);
  }
  return result;
}

namespace {

Case forward_case(const AttentionShape& shape, Fill fill, bool with_lse) {
  Parameters parameters = shape.parameters();
  parameters.push_back(param("fill", fill));
  parameters.push_back(param("lse", int{with_lse}));
  Case test = make_case("attention_forward", parameters);
  test.input("q", shape.q(), fill == Fill::kLarge ? Fill::kUniform : fill);
  test.input("k", shape.kv(), fill == Fill::kLarge ? Fill::kUniform : fill);
  test.input("v", shape.kv(), fill);
  test.output("out", shape.q());
  if (with_lse) {
    test.output("lse", shape.lse());
  }
  shape.add_first_key(test);
  test.length = shape.keys() + shape.head_dim;
  test.call = [shape, with_lse](Backend& backend, const Refs& t) -> std::vector<double> {
    const Tensor workspace(backend.allocator(), DType::kF32, shape.workspace(), {});
    ops::attention_forward(backend, {.q = t.at("q"),
                                     .k = t.at("k"),
                                     .v = t.at("v"),
                                     .out = t.at("out"),
                                     .lse = with_lse ? t.at("lse") : TensorRef{},
                                     .workspace = workspace,
                                     .heads = shape.heads,
                                     .kv_heads = shape.kv_heads,
                                     .first_key = shape.packed ? t.at("first_key") : TensorRef{},
                                     .causal = shape.causal});
    return {};
  };
  test.expect = [shape](const Wide& in) {
    const PlainAttention plain = plain_attention(shape, in);
    return Wide{{"out", plain.out}, {"lse", plain.lse}};
  };
  return test;
}

}  // namespace

std::vector<Case> attention_forward_cases() {
  std::vector<Case> cases;
  for (const AttentionShape& shape : attention_shapes()) {
    cases.push_back(forward_case(shape, Fill::kUniform, true));
  }
  cases.push_back(forward_case({1, 17, 2, 2, 16}, Fill::kUniform, false));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
    cases.push_back(forward_case({1, 70, 2, 1, 8}, fill, true));
  }
  return cases;
}

}  // namespace lathe::conformance
