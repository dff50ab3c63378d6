// Slots of two factors with made-up values, for models of a test.
#pragma once

#include <cmath>
#include <string>

#include "engine/io/model_file.h"

namespace lathe::test {

// Slot `name` of the dense `base` at that rank.
inline FactoredSlot factored(const ModelFile& base, const std::string& name, std::int64_t rank,
                             bool bias) {
  FactoredSlot slot;
  for (const LinearPlan& plan : base.plans()) {
    if (plan.name == name) {
      slot.plan = plan;
    }
  }
  slot.plan.storage = LinearStorage::kLowRank;
  slot.plan.rank = rank;
  slot.plan.bias = bias;
  float next = 1;
  const auto fill = [&](std::vector<float>& values, std::int64_t count) {
    values.resize(static_cast<std::size_t>(count));
    for (float& value : values) {
      value = 0.2f * std::sin(0.71f * next++);
    }
  };
  fill(slot.a, rank * slot.plan.in);
  fill(slot.b, rank * slot.plan.out);
  fill(slot.bias, bias ? slot.plan.out : 0);
  return slot;
}

}  // namespace lathe::test
