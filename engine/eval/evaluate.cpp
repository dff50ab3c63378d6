// One function a family of tasks.
#include "engine/eval/evaluate.h"

#include <algorithm>
#include <filesystem>

#include "engine/data/plain_text.h"
#include "engine/data/row_file.h"
#include "engine/eval/choice_sets.h"
#include "engine/eval/classification.h"
#include "engine/eval/code_writer.h"
#include "engine/eval/humaneval.h"
#include "engine/eval/multiple_choice.h"
#include "engine/eval/perplexity.h"
#include "engine/eval/text_rules.h"

namespace lathe {
namespace {

template <typename Item>
void keep_first(std::vector<Item>& items, std::int64_t limit) {
  if (limit > 0 && static_cast<std::int64_t>(items.size()) > limit) {
    items.resize(static_cast<std::size_t>(limit));
  }
}

bool is_json_lines(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  return ending == ".jsonl" || ending == ".ndjson" || ending == ".json";
}

// The documents of a text task: rows with "page" or "text", pages of WikiText, or the whole file.
Result<std::vector<std::string>> read_documents(const EvalSpec& spec) {
  if (!is_json_lines(spec.data)) {
    auto text = read_text(spec.data);
    if (!text) {
      return text.error();
    }
    return spec.text == TextForm::kWikitext ? wikitext_pages(*text)
                                            : std::vector<std::string>{std::move(*text)};
  }
  const auto rows = read_rows(spec.data);
  if (!rows) {
    return rows.error();
  }
  std::vector<std::string> documents;
  for (const DataRow& row : *rows) {
    auto text = text_field(row, row.value.contains("page") ? "page" : "text");
    if (!text) {
      return text.error();
    }
    documents.push_back(std::move(*text));
  }
  return documents;
}

// The one stream of rule "windows".
Result<std::string> read_stream(const EvalSpec& spec) {
  std::vector<std::string> rows;
  if (is_json_lines(spec.data)) {
    auto documents = read_documents(spec);
    if (!documents) {
      return documents.error();
    }
    rows = std::move(*documents);
  } else {
    auto text = read_text(spec.data);
    if (!text || spec.text == TextForm::kPlain) {
      return text;
    }
    // As the set is published: a row a line, its newline kept, blank ones empty.
    for (const std::string_view line : split_lines(*text)) {
      rows.push_back(strip(line).empty() ? "" : std::string(line) + "\n");
    }
  }
  std::string joined;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    joined += (i == 0 ? "" : "\n\n") + rows[i];
  }
  return joined;
}

Result<EvalOutcome> run_windows(const EvalModel& model, const EvalSpec& spec,
                                const EvalProgress& progress) {
  const auto text = read_stream(spec);
  if (!text) {
    return text.error();
  }
  const auto report = window_perplexity(model, *text, spec.window, spec.limit, progress);
  if (!report) {
    return report.error();
  }
  return EvalOutcome{.rule = rule_text(spec, model.context),
                     .metrics = {{"task/ppl", report->perplexity},
                                 {"task/nll", report->nll},
                                 {"task/tokens", static_cast<double>(report->tokens)}},
                     .details = {{"window", report->window},
                                 {"windows", report->windows},
                                 {"text_tokens", report->text_tokens}}};
}

Result<EvalOutcome> run_rolling(const EvalModel& model, const EvalSpec& spec,
                                const EvalProgress& progress) {
  auto texts = read_documents(spec);
  if (!texts) {
    return texts.error();
  }
  keep_first(*texts, spec.limit);
  std::vector<RollingDocument> documents;
  for (const std::string& text : *texts) {
    documents.push_back(
        {.text = spec.text == TextForm::kWikitext ? detokenise_wikitext(text) : text,
         .original = text});
  }
  const auto report = rolling_perplexity(model, documents, spec.window, progress);
  if (!report) {
    return report.error();
  }
  return EvalOutcome{.rule = rule_text(spec, model.context),
                     .metrics = {{"task/word_ppl", report->word_perplexity},
                                 {"task/byte_ppl", report->byte_perplexity},
                                 {"task/bits_per_byte", report->bits_per_byte},
                                 {"task/token_ppl", report->token_perplexity},
                                 {"task/tokens", static_cast<double>(report->tokens)}},
                     .details = {{"window", report->window},
                                 {"documents", report->documents},
                                 {"words", report->words},
                                 {"bytes", report->bytes}}};
}

Result<std::vector<ChoiceItem>> read_choice_set(const EvalSpec& spec) {
  switch (spec.task) {
    case EvalTask::kPiqa:
      return read_piqa(spec.data, spec.label_file);
    case EvalTask::kHellaswag:
      return read_hellaswag(spec.data);
    case EvalTask::kWinogrande:
      return read_winogrande(spec.data);
    case EvalTask::kArc:
      return read_arc(spec.data);
    default:
      return read_boolq(spec.data);
  }
}

Result<EvalOutcome> run_choices(const EvalModel& model, const EvalSpec& spec,
                                const EvalProgress& progress) {
  auto items = read_choice_set(spec);
  if (!items) {
    return items.error();
  }
  keep_first(*items, spec.limit);
  const auto scores = score_choices(model, *items, spec.special, progress);
  if (!scores) {
    return scores.error();
  }
  const MultipleChoiceResult result = judge(*items, *scores);
  EvalOutcome outcome{
      .rule = rule_text(spec, model.context),
      .metrics = {{"task/acc", result.acc.value}, {"task/acc_stderr", result.acc.standard_error}}};
  // The harness reports no acc_norm where all answers are equally long or are no answers.
  if (spec.task != EvalTask::kWinogrande && spec.task != EvalTask::kBoolq) {
    outcome.metrics.push_back({"task/acc_norm", result.acc_norm.value});
    outcome.metrics.push_back({"task/acc_norm_stderr", result.acc_norm.standard_error});
  }
  outcome.metrics.push_back({"task/items", static_cast<double>(result.items)});
  return outcome;
}

Result<EvalOutcome> run_sentiment(const EvalModel& model, const EvalSpec& spec,
                                  const EvalProgress& progress) {
  auto set = read_sentiment(spec.data, spec.labels);
  if (!set) {
    return set.error();
  }
  keep_first(set->items, spec.limit);
  const auto scores = score_choices(model, set->items, spec.special, progress);
  if (!scores) {
    return scores.error();
  }
  std::vector<std::size_t> labels;
  std::vector<std::size_t> answers;
  for (std::size_t i = 0; i < set->items.size(); ++i) {
    labels.push_back(set->items[i].gold);
    answers.push_back(first_greatest((*scores)[i]));
  }
  const auto result = classification_result(labels, answers, set->labels.size());
  Json classes = Json::array();
  for (std::size_t i = 0; i < set->labels.size(); ++i) {
    const ClassScores& own = result.classes[i];
    classes.push_back({{"label", set->labels[i]},
                       {"precision", own.precision},
                       {"recall", own.recall},
                       {"f1", own.f1},
                       {"support", own.support},
                       {"answered", result.confusion[i]}});
  }
  return EvalOutcome{
      .rule = rule_text(spec, model.context),
      .metrics = {{"task/weighted_f1", result.weighted_f1},
                  {"task/macro_f1", result.macro_f1},
                  {"task/acc", result.accuracy},
                  {"task/items", static_cast<double>(labels.size())}},
      .details = {{"numbers", enum_name(set->numbers)}, {"classes", std::move(classes)}}};
}

// The samples: from a file, or written by the model. The BigCode harness strips prompts.
Result<std::vector<CodeCompletion>> samples_of(const EvalModel* model, const EvalSpec& spec,
                                               std::vector<CodeProblem>& problems,
                                               const EvalProgress& progress) {
  if (!needs_model(spec)) {
    return read_completions(spec.completions);
  }
  for (CodeProblem& problem : problems) {
    problem.prompt = std::string(strip(problem.prompt));
  }
  return write_completions(*model, problems,
                           {.samples = spec.samples,
                            .temperature = spec.temperature,
                            .top_p = spec.top_p,
                            .max_tokens = spec.max_tokens,
                            .seed = spec.seed},
                           progress);
}

Result<EvalOutcome> run_humaneval(const EvalModel* model, const EvalSpec& spec,
                                  const EvalProgress& progress) {
  auto problems = read_humaneval(spec.data);
  if (!problems) {
    return problems.error();
  }
  keep_first(*problems, spec.limit);
  if (auto confined = check_sandbox(); !confined) {
    return confined.error();  // before hours of writing
  }
  const auto completions = samples_of(model, spec, *problems, progress);
  if (!completions) {
    return completions.error();
  }
  const auto result = judge_code(*problems, *completions, {.wall_secs = spec.code_secs}, progress);
  if (!result) {
    return result.error();
  }
  EvalOutcome outcome;
  outcome.rule = rule_text(spec, 0);
  for (const PassRate& rate : result->pass_at) {
    outcome.metrics.push_back({"task/pass_at_" + std::to_string(rate.k), rate.value});
  }
  outcome.metrics.push_back({"task/items", static_cast<double>(result->problems.size())});
  Json rows = Json::array();
  for (const ProblemResult& problem : result->problems) {
    rows.push_back({{"task_id", problem.task_id},
                    {"samples", problem.samples},
                    {"passed", problem.passed},
                    {"timed_out", problem.timed_out}});
  }
  outcome.details["problems"] = std::move(rows);
  return outcome;
}

}  // namespace

Result<void> check_spec(const EvalSpec& spec, bool allow_code_execution) {
  if (spec.data.empty()) {
    return Error{ErrorKind::kUsage, "there is nothing to measure on",
                 "name the set's file with --data"};
  }
  if (spec.task != EvalTask::kHumaneval) {
    return {};
  }
  if (!allow_code_execution) {
    return Error{ErrorKind::kUsage, "humaneval executes code that a model wrote",
                 "allow it with --allow-code-execution; it runs confined: no network, no files of "
                 "yours, limits on time and memory"};
  }
  return {};
}

bool needs_model(const EvalSpec& spec) {
  return spec.task != EvalTask::kHumaneval || spec.completions.empty();
}

std::string rule_text(const EvalSpec& spec, std::int64_t context) {
  const std::string zero_shot = "lm-evaluation-harness, zero-shot, likelihood of the answer";
  switch (spec.task) {
    case EvalTask::kPpl: {
      const std::int64_t window = spec.window > 0 ? spec.window : std::min(context, kUsualWindow);
      return "windows: non-overlapping windows of " + std::to_string(window) +
             " tokens of the joined text, the first token of each not predicted";
    }
    case EvalTask::kRolling:
      return "rolling: each document apart, windows of " +
             std::to_string(spec.window > 0 ? spec.window : context) +
             " tokens, every token predicted once" +
             (spec.text == TextForm::kWikitext ? ", text detokenised, words of the original" : "");
    case EvalTask::kWinogrande:
      return zero_shot + ", partial: the ending after either option";
    case EvalTask::kSentiment:
      return "FinGPT's prompt, zero-shot, likeliest label";
    case EvalTask::kHumaneval:
      return needs_model(spec)
                 ? "pass@k, unbiased, " + std::to_string(spec.samples) + " samples a problem"
                 : "pass@k, unbiased, samples from a file";
    default:
      return zero_shot;
  }
}

Result<EvalOutcome> evaluate(const EvalModel* model, const EvalSpec& spec,
                             const EvalProgress& progress) {
  CHECK(model != nullptr || !needs_model(spec), "this task needs a model");
  switch (spec.task) {
    case EvalTask::kPpl:
      return run_windows(*model, spec, progress);
    case EvalTask::kRolling:
      return run_rolling(*model, spec, progress);
    case EvalTask::kSentiment:
      return run_sentiment(*model, spec, progress);
    case EvalTask::kHumaneval:
      return run_humaneval(model, spec, progress);
    default:
      return run_choices(*model, spec, progress);
  }
}

}  // namespace lathe
