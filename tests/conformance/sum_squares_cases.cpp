// The sums of squares of a list of tensors and of all, in double on every back end.
#include <numeric>

#include "engine/backend/sums.h"
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

std::string operand(std::size_t tensor) {
  return std::string("x").append(std::to_string(tensor));
}

Case sum_case(const std::vector<std::int64_t>& sizes, Fill fill) {
  Case test =
      make_case("sum_squares", {param("tensors", sizes.size()),
                                param("elements", std::accumulate(sizes.begin(), sizes.end(), 0L)),
                                param("first", sizes.front()), param("fill", fill)});
  for (std::size_t t = 0; t < sizes.size(); ++t) {
    test.input(operand(t), Shape{sizes[t]}, fill);
  }
  const std::size_t count = sizes.size();
  test.call = [count](Backend& backend, const Refs& refs) {
    std::vector<TensorRef> list;
    for (std::size_t t = 0; t < count; ++t) {
      list.push_back(refs.at(operand(t)));
    }
    const auto each = static_cast<std::int64_t>(count);
    const Tensor sums = make_sums(backend, "conformance", "sums", each + 1);
    ops::sum_squares(backend,
                     {.x = list, .sums = sums_at(sums, 0, each), .total = sums_at(sums, each, 1)});
    return read_sums(backend, sums);
  };
  test.expect = [count](const Wide& in) {
    std::vector<double> sums;
    long double total = 0;
    for (std::size_t t = 0; t < count; ++t) {
      long double sum = 0;
      for (const double x : in.at(operand(t))) {
        sum += static_cast<long double>(x) * x;
      }
      sums.push_back(static_cast<double>(sum));
      total += sum;
    }
    sums.push_back(static_cast<double>(total));
    return Wide{{"host", sums}};
  };
  return test;
}

}  // namespace

std::vector<Case> sum_squares_cases() {
  std::vector<Case> cases;
  for (const std::int64_t count : {0, 1, 17, 257, 32769, 100003}) {
    cases.push_back(sum_case({count}, Fill::kUniform));
  }
  cases.push_back(sum_case({5, 0, 40000, 3, 8192, 8193}, Fill::kUniform));
  cases.push_back(sum_case(std::vector<std::int64_t>(1100, 7), Fill::kUniform));
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual, Fill::kSpecial}) {
    cases.push_back(sum_case({65, 9}, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
