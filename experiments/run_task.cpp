// See run_task.h.
#include "experiments/run_task.h"

#include <fmt/core.h>

#include <algorithm>

#include "experiments/clock.h"
#include "experiments/file_hash.h"

namespace lathe::experiments {
namespace {

// Tokens of one forward pass, also where a model was trained for more.
constexpr std::int64_t kMostContext = 8192;

EvalSpec eval_spec(const TaskConfig& task) {
  EvalSpec spec;
  spec.task = task.task;
  spec.data = task.data;
  spec.limit = task.limit;
  spec.special = task.special;
  spec.labels = task.labels;
  spec.label_file = task.label_file;
  return spec;
}

// "weighted_f1 0.12345, acc 0.5, items 20; FinGPT's prompt, zero-shot, likeliest label".
std::string task_line(const EvalOutcome& outcome) {
  std::string line;
  for (const EvalMetric& metric : outcome.metrics) {
    line += fmt::format("{}{} {:.5g}", line.empty() ? "" : ", ",
                        metric.metric.substr(metric.metric.find('/') + 1), metric.value);
  }
  return line + "; " + outcome.rule;
}

}  // namespace

EvalModel trained_model(Backend& backend, Transformer& transformer, const TrainSpec& spec,
                        const TextCoder& coder) {
  const TextCoder* text = &coder;
  const std::int64_t context = spec.model.context;
  return {.backend = &backend,
          .transformer = &transformer,
          .config = spec.model,
          .vocab_size = spec.model.vocab_size,
          .context = context > 0 ? std::min(context, kMostContext) : spec.train.seq_len,
          .prefix_id = coder.prefix,
          .encode =
              [text](std::string_view from, bool special) {
                std::vector<std::int32_t> ids;
                if (special && text->begin >= 0) {
                  ids.push_back(text->begin);
                }
                text->encode(from, false, ids);
                return ids;
              },
          .decode = coder.decode,
          .end_ids = {coder.end}};
}

Result<void> settle_task(RunSpec& spec) {
  TaskConfig& task = spec.eval;
  if (task.data.empty()) {
    return {};
  }
  if (spec.train.data.kind == DataKind::kImages) {
    return Error{ErrorKind::kUsage,
                 "eval.data=" + task.data + " is a task of text, and data.kind=images",
                 "leave eval.data empty: eval/acc is measured on the held-out images"};
  }
  if (task.task == EvalTask::kHumaneval) {
    return Error{ErrorKind::kUsage, "eval.task=humaneval executes code, which a run does not",
                 "measure the run with `lathe eval` when it has ended, or set another eval.task"};
  }
  const auto hash = file_hash(task.data);
  if (!hash) {
    return Error{hash.error().kind, "eval.data: " + hash.error().message, hash.error().remedy};
  }
  if (!task.data_hash.empty() && task.data_hash != *hash) {
    return Error{ErrorKind::kMismatch,
                 fmt::format("eval.data={} is another file ({:.12}...) than eval.data_hash says "
                             "({:.12}...)",
                             task.data, *hash, task.data_hash),
                 "put the file back that the run began with, or leave eval.data_hash empty"};
  }
  task.data_hash = *hash;
  DataConfig& data = spec.train.data;
  if (data.kind == DataKind::kSentiment && task.task == EvalTask::kSentiment &&
      data.without.empty()) {
    data.without = {task.data};
  }
  return {};
}

Result<void> measure_task(const MeasuredRun& run) {
  const TaskConfig& task = run.request.spec.eval;
  if (task.data.empty()) {
    return {};
  }
  if (!run.coder.encode) {
    return Error{ErrorKind::kUsage, "eval.data is text, and the run's corpus has none",
                 "leave eval.data empty, or train on text"};
  }
  const RunId& id = run.request.run;
  const std::int64_t step = run.trainer.steps_done();
  const Stopwatch watch;
  const auto progress = [&](std::int64_t done, std::int64_t total) {
    run.ports.sink->on_event(Preparing{id, static_cast<double>(done) / static_cast<double>(total),
                                       "measuring " + std::string(enum_name(task.task))});
    return run.ports.control->stop_kind() == StopKind::kNone;
  };
  const EvalModel model =
      trained_model(run.trainer.backend(), run.trainer.transformer(), run.spec, run.coder);
  const auto outcome = evaluate(&model, eval_spec(task), progress);
  if (!outcome) {
    return outcome.error().kind == ErrorKind::kInterrupted ? Result<void>() : outcome.error();
  }
  run.events.task(step, *outcome, watch.secs());
  run.ports.sink->on_event(LogLine{
      id, LogLevel::kInfo, fmt::format("after step {}: {}", step, task_line(*outcome)), unix_ms()});
  return {};
}

}  // namespace lathe::experiments
