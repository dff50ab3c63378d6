// Gradients of a table: tokens that occur twice add up.
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

Case scatter_case(std::int64_t vocab, std::int64_t width, std::int64_t tokens, Fill fill) {
  Case test = make_case("embedding_backward", {param("vocab", vocab), param("width", width),
                                               param("tokens", tokens), param("fill", fill)});
  test.in_out("dtable", Shape{vocab, width}, fill);
  test.ids("ids", Shape{tokens}, vocab);
  test.input("dout", Shape{tokens, width}, fill);
  test.length = tokens + 1;
  test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::embedding_backward(backend,
                            {.dout = t.at("dout"), .ids = t.at("ids"), .dtable = t.at("dtable")});
    return {};
  };
  test.expect = [width](const Wide& in) {
    std::vector<double> dtable = in.at("dtable");
    for (std::size_t i = 0; i < in.at("dout").size(); ++i) {
      const auto w = static_cast<std::size_t>(width);
      dtable[static_cast<std::size_t>(in.at("ids")[i / w]) * w + i % w] += in.at("dout")[i];
    }
    return Wide{{"dtable", dtable}};
  };
  return test;
}

}  // namespace

std::vector<Case> embedding_backward_cases() {
  std::vector<Case> cases{
      scatter_case(1, 1, 3, Fill::kUniform), scatter_case(5, 13, 0, Fill::kUniform),
      scatter_case(31, 65, 129, Fill::kUniform), scatter_case(257, 288, 400, Fill::kUniform),
      scatter_case(20000, 3, 33000, Fill::kUniform)};
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(scatter_case(11, 17, 23, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
