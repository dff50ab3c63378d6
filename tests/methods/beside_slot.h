// What stands beside a slot's weight, checked on one slot: random values for what is trained, and
// gradients beside finite differences of sum(dy y).
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "engine/base/rng.h"
#include "tests/methods/velora_slot.h"

namespace lathe::test {

inline Values random_rows(std::int64_t columns, std::uint64_t stream) {
  Values values(static_cast<std::size_t>(kSlotRows * columns));
  Rng rng(7, stream);
  for (float& value : values) {
    value = static_cast<float>(2.0 * rng.next_unit() - 1.0);
  }
  return values;
}

// What is trained becomes random, for at the start a mistake could hide behind a zero.
inline void draw_trained(SlotRun& run) {
  std::uint64_t stream = 40;
  for (Parameter* parameter : run.parameters()) {
    if (parameter->role == ParameterRole::kAdapter) {
      ops::random_fill(
          run.backend(),
          {.out = parameter->weight, .seed = 9, .stream = stream++, .mean = 0.2f, .stddev = 0.5f});
    }
  }
}

// Every gradient that a pass makes, of inputs too, but those of parameters whose name has `but`.
inline void expect_finite_differences(SlotRun& run, const std::string& but = "never") {
  Values x = random_rows(kSlotIn, 1);
  const Values dy = random_rows(kSlotOut, 2);
  const SlotPass made = run.pass(x, dy);
  const auto loss = [&] { return dot(run.pass(x, dy).y, dy); };
  const auto expect_slope = [&](float& value, float got, const std::string& what) {
    const float kept = value;
    value = kept + 0.05f;
    const double above = loss();
    value = kept - 0.05f;
    const double below = loss();
    value = kept;
    const double slope = (above - below) / 0.1;
    EXPECT_NEAR(got, slope, 2e-3 * std::max(1.0, std::abs(slope))) << what;
  };
  for (std::size_t i = 0; i < x.size(); i += 31) {
    expect_slope(x[i], made.dx[i], "x " + std::to_string(i));
  }
  int trained = 0;
  for (std::size_t p = 0; p < run.parameters().size(); ++p) {
    Parameter& parameter = *run.parameters()[p];
    EXPECT_EQ(parameter.frozen, made.gradients[p].empty()) << parameter.name;
    if (parameter.frozen || parameter.name.find(but) != std::string::npos) {
      continue;
    }
    ++trained;
    float* const values = parameter.weight.ref().f32();
    for (std::int64_t i = 0; i < parameter.elements(); i += 7) {
      expect_slope(values[i], made.gradients[p][static_cast<std::size_t>(i)],
                   parameter.name + " " + std::to_string(i));
    }
  }
  EXPECT_GT(trained, 0);
}

// x^ of rows [kSlotRows, columns]: of each sub-token its part along v.
inline Values along(const Values& rows, const Values& v) {
  Values out(rows.size());
  for (std::size_t first = 0; first < rows.size(); first += v.size()) {
    double product = 0;
    for (std::size_t k = 0; k < v.size(); ++k) {
      product += double(rows[first + k]) * double(v[k]);
    }
    for (std::size_t k = 0; k < v.size(); ++k) {
      out[first + k] = static_cast<float>(product * double(v[k]));
    }
  }
  return out;
}

}  // namespace lathe::test
