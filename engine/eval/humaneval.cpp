// Reading, running, counting.
#include "engine/eval/humaneval.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "engine/data/row_file.h"
#include "engine/eval/pass_at_k.h"

namespace lathe {
namespace {

constexpr const char* kPython = "/usr/bin/python3";

// Reads the program, runs it, and only then says the word by which passing is known: a program that
// leaves early, whatever its exit code, has not passed. The names are those of the paper's harness:
// an empty set of globals.
constexpr const char* kDriver =
    "import os, sys\n"
    "word = sys.argv.pop()\n"
    "program = sys.stdin.buffer.read().decode()\n"
    "exec(compile(program, 'completion', 'exec'), {})\n"
    "print(word, flush=True)\n"
    "os._exit(0)\n";

std::string random_word() {
  std::random_device device;
  std::string word;
  for (int i = 0; i < 4; ++i) {
    word += std::to_string(device());
  }
  return word;
}

struct Verdict {
  bool passed = false;
  bool timed_out = false;
};

Result<Verdict> run_completion(const CodeProblem& problem, const std::string& completion,
                               const SandboxLimits& limits) {
  const std::string program =
      problem.prompt + completion + "\n" + problem.test + "\ncheck(" + problem.entry_point + ")\n";
  const std::string word = random_word();
  const auto run = run_sandboxed({kPython, "-I", "-S", "-B", "-c", kDriver, word}, program, limits);
  if (!run) {
    return run.error();
  }
  const bool said = run->output.ends_with(word + "\n");
  return Verdict{.passed = said && run->status == 0 && !run->timed_out,
                 .timed_out = run->timed_out};
}

struct Job {
  std::size_t problem = 0;
  const std::string* completion = nullptr;
};

Result<std::vector<Job>> make_jobs(std::span<const CodeProblem> problems,
                                   std::span<const CodeCompletion> completions) {
  std::map<std::string_view, std::size_t> by_task;
  for (std::size_t i = 0; i < problems.size(); ++i) {
    by_task.emplace(problems[i].task_id, i);
  }
  std::vector<Job> jobs;
  std::vector<bool> answered(problems.size(), false);
  for (const CodeCompletion& completion : completions) {
    const auto found = by_task.find(completion.task_id);
    if (found != by_task.end()) {
      jobs.push_back({.problem = found->second, .completion = &completion.text});
      answered[found->second] = true;
    }
  }
  const auto missing = std::find(answered.begin(), answered.end(), false);
  if (missing != answered.end()) {
    return Error{ErrorKind::kData,
                 "no completion for " +
                     problems[static_cast<std::size_t>(missing - answered.begin())].task_id,
                 "the rate is a mean over all problems: give each of them samples, or a limit"};
  }
  return jobs;
}

// The jobs on all cores; what the first failure was, or nothing.
class JobRunner {
 public:
  JobRunner(std::span<const CodeProblem> problems, std::span<const Job> jobs,
            const SandboxLimits& limits, const EvalProgress& progress)
      : problems_(problems),
        jobs_(jobs),
        limits_(limits),
        progress_(progress),
        verdicts_(jobs.size()) {}

  Result<std::vector<Verdict>> run() {
    std::vector<std::thread> workers;
    const std::size_t count =
        std::min<std::size_t>(jobs_.size(), std::max(1u, std::thread::hardware_concurrency()));
    for (std::size_t i = 0; i < count; ++i) {
      workers.emplace_back([this] { work(); });
    }
    for (std::thread& worker : workers) {
      worker.join();
    }
    if (failure_) {
      return *failure_;
    }
    return verdicts_;
  }

 private:
  void work() {
    for (std::size_t i = next_++; i < jobs_.size(); i = next_++) {
      const auto verdict =
          run_completion(problems_[jobs_[i].problem], *jobs_[i].completion, limits_);
      const std::lock_guard lock(mutex_);
      if (failure_) {
        return;
      }
      if (!verdict) {
        failure_ = verdict.error();
        return;
      }
      verdicts_[i] = *verdict;
      ++done_;
      if (progress_ && !progress_(done_, static_cast<std::int64_t>(jobs_.size()))) {
        failure_ = Error{ErrorKind::kInterrupted, "the evaluation was stopped", ""};
        return;
      }
    }
  }

  std::span<const CodeProblem> problems_;
  std::span<const Job> jobs_;
  SandboxLimits limits_;
  const EvalProgress& progress_;
  std::vector<Verdict> verdicts_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;  // guards what follows, and the verdicts
  std::int64_t done_ = 0;
  std::optional<Error> failure_;
};

std::vector<PassRate> pass_rates(const std::vector<ProblemResult>& problems) {
  std::vector<PassRate> rates;
  for (const std::int64_t k : {1, 10, 100}) {
    const bool enough = std::all_of(problems.begin(), problems.end(),
                                    [k](const ProblemResult& p) { return p.samples >= k; });
    if (!enough) {
      break;
    }
    double sum = 0;
    for (const ProblemResult& problem : problems) {
      sum += pass_at_k(problem.samples, problem.passed, k);
    }
    rates.push_back({.k = k, .value = sum / static_cast<double>(problems.size())});
  }
  return rates;
}

}  // namespace

Result<std::vector<CodeProblem>> read_humaneval(const std::string& path) {
  const auto rows = read_rows(path);
  if (!rows) {
    return rows.error();
  }
  std::vector<CodeProblem> problems;
  std::map<std::string, std::string> places;
  for (const DataRow& row : *rows) {
    CodeProblem problem;
    for (const auto& [name, value] : {std::pair{"task_id", &problem.task_id},
                                      {"prompt", &problem.prompt},
                                      {"entry_point", &problem.entry_point},
                                      {"test", &problem.test}}) {
      auto text = text_field(row, name);
      if (!text) {
        return text.error();
      }
      *value = std::move(*text);
    }
    const auto [known, is_new] = places.emplace(problem.task_id, row.place);
    if (!is_new) {
      return row_error(row, "has the task_id " + problem.task_id + " of " + known->second);
    }
    problems.push_back(std::move(problem));
  }
  return problems;
}

Result<std::vector<CodeCompletion>> read_completions(const std::string& path) {
  const auto rows = read_rows(path);
  if (!rows) {
    return rows.error();
  }
  std::vector<CodeCompletion> completions;
  for (const DataRow& row : *rows) {
    auto task = text_field(row, "task_id");
    auto text = text_field(row, "completion");
    if (!task || !text) {
      return task ? text.error() : task.error();
    }
    completions.push_back({.task_id = std::move(*task), .text = std::move(*text)});
  }
  return completions;
}

std::string cut_completion(std::string_view text) {
  std::size_t end = text.size();
  for (const std::string_view stop :
       {"\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```"}) {
    end = std::min(end, text.find(stop));
  }
  return std::string(text.substr(0, end));
}

Result<HumanEvalResult> judge_code(std::span<const CodeProblem> problems,
                                   std::span<const CodeCompletion> completions,
                                   const SandboxLimits& limits, const EvalProgress& progress) {
  const auto jobs = make_jobs(problems, completions);
  if (!jobs) {
    return jobs.error();
  }
  if (!std::filesystem::exists(kPython)) {
    return Error{ErrorKind::kDevice, std::string("there is no ") + kPython + " to run code with",
                 "install the package python3"};
  }
  const auto verdicts = JobRunner(problems, *jobs, limits, progress).run();
  if (!verdicts) {
    return verdicts.error();
  }
  HumanEvalResult result;
  for (const CodeProblem& problem : problems) {
    result.problems.push_back({.task_id = problem.task_id});
  }
  for (std::size_t i = 0; i < jobs->size(); ++i) {
    ProblemResult& problem = result.problems[(*jobs)[i].problem];
    problem.samples += 1;
    problem.passed += (*verdicts)[i].passed ? 1 : 0;
    problem.timed_out += (*verdicts)[i].timed_out ? 1 : 0;
  }
  result.pass_at = pass_rates(result.problems);
  return result;
}

}  // namespace lathe
