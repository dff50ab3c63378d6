// Conditions on predicted numbers: "mem.peak < 2GiB" and the like, which drop points of a sweep
// before anything runs.
#pragma once

#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "experiments/sweep.h"

namespace lathe::experiments {

enum class Comparison : std::uint8_t { kLess, kLessEqual, kGreater, kGreaterEqual };

struct Condition {
  std::string text;  // as written, for messages
  std::string name;  // mem.peak | model.params | model.stored_bytes | flops
  Comparison comparison = Comparison::kLess;
  double bound = 0;
};

// "name op number[unit]", op one of < <= > >=, unit one of B KiB MiB GiB TiB k M G T. kUsage says
// which part is wrong and what is legal.
Result<Condition> parse_condition(std::string_view text);

// Empty if the prediction meets the condition, else "mem.peak is 2.31 GiB, and must be < 2GiB".
std::string why_dropped(const Condition& condition, const Prediction& prediction);

}  // namespace lathe::experiments
