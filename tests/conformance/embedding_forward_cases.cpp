// Rows of a table by index.
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

void set_formula(Case& test, std::int64_t width) {
  test.call = [](Backend& backend, const Refs& t) -> std::vector<double> {
    ops::embedding_forward(backend,
                           {.table = t.at("table"), .ids = t.at("ids"), .out = t.at("out")});
    return {};
  };
  test.expect = [width](const Wide& in) {
    std::vector<double> out;
    for (const double id : in.at("ids")) {
      const auto row = in.at("table").begin() + static_cast<std::int64_t>(id) * width;
      out.insert(out.end(), row, row + width);
    }
    return Wide{{"out", out}};
  };
}

Case packed_lookup_case(DType dtype, std::int64_t width) {
  Case test = make_case("embedding_forward",
                        {{"table", std::string(dtype_name(dtype))}, param("width", width)});
  test.packed_input("table", Shape{19, width}, dtype);
  test.ids("ids", Shape{23}, 19);
  test.output("out", Shape{23, width});
  set_formula(test, width);
  return test;
}

Case lookup_case(std::int64_t vocab, std::int64_t width, std::int64_t tokens, Fill fill) {
  Case test = make_case("embedding_forward", {param("vocab", vocab), param("width", width),
                                              param("tokens", tokens), param("fill", fill)});
  test.input("table", Shape{vocab, width}, fill);
  test.ids("ids", Shape{tokens}, vocab);
  test.output("out", Shape{tokens, width});
  set_formula(test, width);
  return test;
}

}  // namespace

std::vector<Case> embedding_forward_cases() {
  std::vector<Case> cases{
      lookup_case(1, 1, 1, Fill::kUniform), lookup_case(5, 13, 0, Fill::kUniform),
      lookup_case(31, 65, 129, Fill::kUniform), lookup_case(257, 288, 400, Fill::kUniform)};
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(lookup_case(11, 17, 23, fill));
  }
  for (int type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    if (is_packed(dtype) && !has_tables(dtype)) {
      cases.push_back(packed_lookup_case(dtype, 512));
    }
  }
  return cases;
}

}  // namespace lathe::conformance
