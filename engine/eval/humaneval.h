// HumanEval (Chen et al. 2021): does a completion of a function's head pass the problem's tests?
// Completions are programs that nobody has read; they run in the sandbox (sandbox.h) or not at all.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/eval/eval_model.h"
#include "engine/eval/sandbox.h"

namespace lathe {

struct CodeProblem {
  std::string task_id;
  std::string prompt;
  std::string entry_point;
  std::string test;
};

struct CodeCompletion {
  std::string task_id;
  std::string text;  // what follows the prompt
};

// {task_id, prompt, entry_point, test} a line, as published. kData also for a task named twice.
Result<std::vector<CodeProblem>> read_humaneval(const std::string& path);

// {task_id, completion} a line, as openai/human-eval takes samples.
Result<std::vector<CodeCompletion>> read_completions(const std::string& path);

// The completion up to where the function is over: the first line that begins with class, def, #,
// @, print, if or ``` (the stop words of the BigCode harness).
std::string cut_completion(std::string_view text);

struct ProblemResult {
  std::string task_id;
  std::int64_t samples = 0;
  std::int64_t passed = 0;
  std::int64_t timed_out = 0;
};

struct PassRate {
  std::int64_t k = 1;
  double value = 0;  // mean over the problems
};

struct HumanEvalResult {
  std::vector<ProblemResult> problems;
  std::vector<PassRate> pass_at;  // of k = 1, 10, 100 those that every problem has samples for
};

// Runs every completion of the problems; those of other tasks are passed over. kData where a
// problem has no completion, kDevice where code cannot be confined here. `progress` counts
// completions and is called from several threads, one at a time.
Result<HumanEvalResult> judge_code(std::span<const CodeProblem> problems,
                                   std::span<const CodeCompletion> completions,
                                   const SandboxLimits& limits, const EvalProgress& progress);

}  // namespace lathe
