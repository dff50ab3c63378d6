// What the forms of the Models and Playground panels hold, and the commands they make.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "ui/model/models_state.h"

namespace lathe::ui {

struct EvaluationForm {
  int task = 0;  // of kEvaluationTasks
  std::string data;
  int limit = 0;  // 0: all
};

struct PlaygroundForm {
  std::string prompt;
  float temperature = 0.7f;
  float top_p = 0.95f;
  int top_k = 40;
  int max_tokens = 128;
  int seed = 0;
  std::array<JobId, 2> jobs;  // of the columns, the latest
};

// A task of `lathe eval`, in the words of a person.
struct EvaluationTask {
  const char* id;
  const char* title;
  const char* data;  // what file it wants
};
inline constexpr std::array<EvaluationTask, 8> kEvaluationTasks{
    {{"ppl", "Perplexity, windows of the joined text", "a text file, or JSON lines: text"},
     {"rolling", "Perplexity, each document by itself", "a text file, or JSON lines: text, page"},
     {"piqa", "PIQA", "valid.jsonl with valid-labels.lst beside it"},
     {"hellaswag", "HellaSwag", "JSON lines: ctx, endings, label"},
     {"winogrande", "WinoGrande", "JSON lines: sentence, option1, option2, answer"},
     {"arc", "ARC", "JSON lines of ARC easy or challenge"},
     {"boolq", "BoolQ", "JSON lines: question, passage, answer"},
     {"sentiment", "Finance sentiment", "FPB, FiQA or TFNS as published"}}};

Json evaluation_of(const EvaluationForm& form);
Json sampling_of(const PlaygroundForm& form);

// Metrics of an evaluation's result as pairs for a table, numbers in four digits; nested objects by
// dotted path.
std::vector<std::pair<std::string, std::string>> result_lines(const Json& result);

}  // namespace lathe::ui
