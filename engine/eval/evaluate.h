// Any evaluation by its spec: reads the data, measures, reports with the rule it went by.
#pragma once

#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/eval/eval_model.h"
#include "engine/eval/eval_spec.h"

namespace lathe {

// One number. `metric` is an id of experiments/metrics.h.
struct EvalMetric {
  std::string metric;
  double value = 0;
};

struct EvalOutcome {
  std::string rule;                 // "non-overlapping windows of 2048 tokens of the joined text"
  std::vector<EvalMetric> metrics;  // headline first
  Json details = Json::object();    // per class, per problem: what has no metric of its own
};

// What is wrong with a spec in itself, before a model is opened: kUsage, or nothing.
Result<void> check_spec(const EvalSpec& spec, bool allow_code_execution);

// False for humaneval with completions from a file.
bool needs_model(const EvalSpec& spec);

// The rule in words, with its window.
std::string rule_text(const EvalSpec& spec, std::int64_t context);

// Errors: kData for data that cannot be read or scored, kDiverged for logits that are not finite,
// kDevice where code cannot be confined, kInterrupted. `model` may be null where needs_model()
// says so. Throws OutOfMemory.
Result<EvalOutcome> evaluate(const EvalModel* model, const EvalSpec& spec,
                             const EvalProgress& progress);

}  // namespace lathe
