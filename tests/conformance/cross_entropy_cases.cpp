// Softmax cross-entropy with ignored targets, with and without the gradient.
#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/backend/sums.h"
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

constexpr float kGradScale = 0.125f;

Wide plain(std::int64_t rows, std::int64_t classes, bool gradient, const Wide& in) {
  std::vector<double> logits = in.at("logits");
  std::vector<double> sums{0, 0, 0};
  std::vector<double> losses(static_cast<std::size_t>(rows), 0.0);
  std::vector<double> argmax(static_cast<std::size_t>(rows), -1.0);
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto begin = logits.begin() + row * classes;
    const auto end = begin + classes;
    const double target = in.at("targets")[static_cast<std::size_t>(row)];
    if (target >= 0) {
      const auto chosen = static_cast<std::int64_t>(target);
      const auto top = std::max_element(begin, end);
      const double offset = *top;
      double sum = 0;
      std::for_each(begin, end, [&](double x) { sum += std::exp(x - offset); });
      const double lse = std::log(sum) + offset;
      const bool finite = std::all_of(begin, end, [](double x) { return std::isfinite(x); });
      const auto at = static_cast<std::size_t>(row);
      losses[at] = finite ? lse - begin[chosen] : std::numeric_limits<double>::quiet_NaN();
      argmax[at] = finite ? static_cast<double>(top - begin) : -1.0;
      sums[0] += lse - begin[chosen];
      sums[1] += top == begin + chosen ? 1 : 0;
      sums[2] += 1;
      if (gradient) {
        std::for_each(begin, end, [&](double& x) { x = std::exp(x - lse) * double(kGradScale); });
        begin[chosen] -= double(kGradScale);
      }
    } else if (gradient) {
      std::fill(begin, end, 0.0);
    }
  }
  return {{"logits", logits}, {"host", sums}, {"losses", losses}, {"argmax", argmax}};
}

// With a factor that lies on the device, whatever was given beside it.
std::vector<double> call_scaled_there(Backend& backend, const Refs& t) {
  const Tensor sums = make_sums(backend, "conformance", "sums", kCrossEntropySums + 1);
  const double scale = double(kGradScale);
  const TensorRef there = sums_at(sums, kCrossEntropySums, 1);
  backend.write(there, &scale, sizeof scale);
  ops::cross_entropy(backend, {.logits = t.at("logits"),
                               .targets = t.at("targets"),
                               .sums = sums_at(sums, 0, kCrossEntropySums),
                               .grad_scale = 7.0f,
                               .scale_at = there});
  std::vector<double> all = read_sums(backend, sums);
  all.pop_back();
  return all;
}

Case entropy_case(std::int64_t rows, std::int64_t classes, bool gradient, bool per_row, Fill fill) {
  Case test = make_case("cross_entropy", {param("rows", rows), param("classes", classes),
                                          param("gradient", int{gradient}),
                                          param("per_row", int{per_row}), param("fill", fill)});
  if (gradient) {
    test.in_out("logits", Shape{rows, classes}, fill);
  } else {
    test.input("logits", Shape{rows, classes}, fill);
  }
  test.ids("targets", Shape{rows}, classes, true);
  if (per_row) {
    test.output("losses", Shape{rows});
    test.output("argmax", Shape{rows}, DType::kI32);
  }
  test.length = 64;
  test.call = [gradient, per_row](Backend& backend, const Refs& t) -> std::vector<double> {
    const Tensor sums = make_sums(backend, "conformance", "sums");
    ops::cross_entropy(backend, {.logits = t.at("logits"),
                                 .targets = t.at("targets"),
                                 .sums = sums,
                                 .losses = per_row ? t.at("losses") : TensorRef{},
                                 .argmax = per_row ? t.at("argmax") : TensorRef{},
                                 .grad_scale = kGradScale,
                                 .write_gradient = gradient});
    return read_sums(backend, sums);
  };
  test.expect = [rows, classes, gradient](const Wide& in) {
    return plain(rows, classes, gradient, in);
  };
  return test;
}

}  // namespace

std::vector<Case> cross_entropy_cases() {
  std::vector<Case> cases;
  for (const bool gradient : {false, true}) {
    for (const auto& [rows, classes] : std::vector<std::array<std::int64_t, 2>>{
             {1, 1}, {0, 7}, {7, 13}, {33, 65}, {5, 4097}, {3, 32000}}) {
      cases.push_back(entropy_case(rows, classes, gradient, rows % 2 == 1, Fill::kUniform));
    }
    for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
      cases.push_back(entropy_case(6, 37, gradient, true, fill));
    }
  }
  // Rows that are not finite are told from the others by their own loss and argmax.
  cases.push_back(entropy_case(6, 37, false, true, Fill::kSpecial));
  cases.push_back(entropy_case(9, 130, true, false, Fill::kUniform));
  cases.back().name += " scaled there";
  cases.back().call = call_scaled_there;
  return cases;
}

}  // namespace lathe::conformance
