// Lets a model complete the heads of functions: the samples that HumanEval judges.
#pragma once

#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/eval/eval_model.h"
#include "engine/eval/humaneval.h"

namespace lathe {

// The BigCode harness' settings but for the number of samples, which there is 200.
struct WritingSettings {
  std::int64_t samples = 1;  // a problem
  double temperature = 0.2;  // 0: the most likely token each time
  double top_p = 0.95;
  std::int64_t max_tokens = 512;
  std::int64_t seed = 1;
};

// `samples` completions of each problem's prompt, cut where the function is over (cut_completion);
// a sample is decided by seed, problem and number. kData names the problem whose prompt does not
// fit the context. Throws OutOfMemory. `progress` counts samples.
Result<std::vector<CodeCompletion>> write_completions(const EvalModel& model,
                                                      std::span<const CodeProblem> problems,
                                                      const WritingSettings& settings,
                                                      const EvalProgress& progress);

}  // namespace lathe
