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

struct FineTuneForm {
  int kind = 0;  // of kFineTuneKinds
  std::string data;
  int steps = 100;
  int batch_size = 2;
  int seq_len = 256;
  float lr = 2e-5f;
};

struct ExportForm {
  int type = 0;  // of kExportTypes
  std::string out;
};

struct PlaygroundForm {
  std::string prompt;
  bool chat = true;
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

// What a model is tuned on: data.kind, and in the words of a person.
struct FineTuneKind {
  const char* id;
  const char* title;
  const char* data;
};
inline constexpr std::array<FineTuneKind, 3> kFineTuneKinds{
    {{"instruct", "Instructions and answers",
      "JSON or JSON lines: instruction, input, output; or prompt, response"},
     {"chat", "Conversations", "JSON lines: messages of role and content"},
     {"text", "Running text", "a folder or file of text"}}};

// A form that a model can be written in.
struct ExportType {
  const char* format;
  const char* dtype;
  const char* title;
};
inline constexpr std::array<ExportType, 11> kExportTypes{{{"gguf", "f16", "GGUF, F16"},
                                                          {"gguf", "q8_0", "GGUF, Q8_0"},
                                                          {"gguf", "q6_k", "GGUF, Q6_K"},
                                                          {"gguf", "q4_1", "GGUF, Q4_1"},
                                                          {"gguf", "q4_0", "GGUF, Q4_0"},
                                                          {"gguf", "bf16", "GGUF, BF16"},
                                                          {"gguf", "f32", "GGUF, F32"},
                                                          {"hf", "f16", "Hugging Face, F16"},
                                                          {"hf", "bf16", "Hugging Face, BF16"},
                                                          {"hf", "f32", "Hugging Face, F32"},
                                                          {"peft", "f32", "Adapter alone, PEFT"}}};

Json evaluation_of(const EvaluationForm& form);
// The run that tunes `model`, as a spec document over the defaults; `title` names it.
Json fine_tune_of(const FineTuneForm& form, const std::string& model, const std::string& title);
// Where an export of a model of this name would lie in `folder`.
std::string export_path(const ExportForm& form, const std::string& folder, const std::string& name);
Json sampling_of(const PlaygroundForm& form);

// Metrics of an evaluation's result as pairs for a table, numbers in four digits; nested objects by
// dotted path.
std::vector<std::pair<std::string, std::string>> result_lines(const Json& result);

}  // namespace lathe::ui
