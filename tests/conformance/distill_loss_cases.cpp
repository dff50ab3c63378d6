// Cross-entropy mixed with a teacher: shares, temperatures, ignored targets, a teacher that agrees.
#include <algorithm>
#include <cmath>

#include "engine/backend/sums.h"
#include "tests/conformance/case.h"

namespace lathe::conformance {
namespace {

constexpr float kGradScale = 0.125f;

struct Mix {
  float weight;
  float temperature;
};

// The logarithms of softmax(x / temperature).
std::vector<double> log_softmax(std::vector<double> x, double temperature) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& value : x) {
    value = (value - top) / temperature;
    sum += std::exp(value);
  }
  for (double& value : x) {
    value -= std::log(sum);
  }
  return x;
}

Wide plain(std::int64_t rows, std::int64_t classes, const Mix& mix, const Wide& in) {
  const double weight = double(mix.weight);
  const double temperature = double(mix.temperature);
  std::vector<double> logits = in.at("logits");
  std::vector<double> sums{0, 0, 0};
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto begin = logits.begin() + row * classes;
    const auto end = begin + classes;
    const double target = in.at("targets")[static_cast<std::size_t>(row)];
    if (target < 0) {
      std::fill(begin, end, 0.0);
      continue;
    }
    const auto chosen = static_cast<std::size_t>(target);
    const auto taught_begin = in.at("teacher").begin() + row * classes;
    const std::vector<double> hard = log_softmax({begin, end}, 1.0);
    const std::vector<double> own = log_softmax({begin, end}, temperature);
    const std::vector<double> taught =
        log_softmax({taught_begin, taught_begin + classes}, temperature);
    sums[0] -= (1.0 - weight) * hard[chosen];
    sums[1] += std::max_element(begin, end) == begin + std::int64_t(chosen) ? 1 : 0;
    sums[2] += 1;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const double share = std::exp(taught[i]);
      sums[0] += weight * temperature * temperature * share * (taught[i] - own[i]);
      begin[std::int64_t(i)] =
          double(kGradScale) * ((1.0 - weight) * (std::exp(hard[i]) - (i == chosen ? 1.0 : 0.0)) +
                                weight * temperature * (std::exp(own[i]) - share));
    }
  }
  return {{"logits", logits}, {"host", sums}};
}

Case distill_case(std::int64_t rows, std::int64_t classes, const Mix& mix, Fill fill) {
  Case test = make_case(
      "distill_loss", {param("rows", rows), param("classes", classes), param("weight", mix.weight),
                       param("temperature", mix.temperature), param("fill", fill)});
  test.in_out("logits", Shape{rows, classes}, fill);
  test.input("teacher", Shape{rows, classes});
  test.ids("targets", Shape{rows}, classes, true);
  test.length = 64;
  test.call = [mix](Backend& backend, const Refs& t) -> std::vector<double> {
    const Tensor sums = make_sums(backend, "conformance", "sums");
    // With a temperature above 1 the factor lies on the device.
    const bool placed = mix.temperature > 1.0f;
    const Tensor place = make_sums(backend, "conformance", "scale", 1);
    const double scale = kGradScale;
    backend.write(place, &scale, sizeof scale);
    ops::distill_loss(backend, {.logits = t.at("logits"),
                                .teacher = t.at("teacher"),
                                .targets = t.at("targets"),
                                .sums = sums,
                                .weight = mix.weight,
                                .temperature = mix.temperature,
                                .grad_scale = placed ? 0.0f : kGradScale,
                                .scale_at = placed ? place.ref() : TensorRef{}});
    return read_sums(backend, sums);
  };
  test.expect = [rows, classes, mix](const Wide& in) { return plain(rows, classes, mix, in); };
  return test;
}

}  // namespace

std::vector<Case> distill_loss_cases() {
  std::vector<Case> cases;
  for (const auto& [rows, classes] :
       std::vector<std::array<std::int64_t, 2>>{{0, 7}, {7, 13}, {33, 65}, {5, 4097}, {3, 32000}}) {
    cases.push_back(distill_case(rows, classes, {0.5f, 2.0f}, Fill::kUniform));
  }
  for (const Mix& mix : {Mix{0.0f, 1.0f}, Mix{1.0f, 1.0f}, Mix{0.25f, 0.5f}, Mix{1.0f, 4.0f}}) {
    cases.push_back(distill_case(6, 37, mix, Fill::kUniform));
  }
  for (const Fill fill : {Fill::kLarge, Fill::kDenormal, Fill::kEqual}) {
    cases.push_back(distill_case(6, 37, {0.5f, 1.5f}, fill));
  }
  return cases;
}

}  // namespace lathe::conformance
