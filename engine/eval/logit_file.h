// Logits of a model as a file: what it thinks of every next token, for comparing it with other
// programs and for distillation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "engine/base/result.h"
#include "engine/eval/eval_model.h"

namespace lathe {

struct LogitRequest {
  // Rows of {"ids": [1, 2, 3]}; of {"text": "..."}, which is tokenised with the tokenizer's own
  // special tokens; or of {"messages": [{"role", "content"}]}, put in the model's chat template.
  std::string data;
  std::filesystem::path out;
  bool last_only = false;  // the logits after the whole sequence alone
};

struct LogitReport {
  std::int64_t sequences = 0;
  std::int64_t tokens = 0;
  std::int64_t bytes = 0;  // of logits
};

// Writes a safetensors file: of row i of the data the tensors "ids.i" (I32 [T]) and "logits.i" (F32
// [T, V], or [1, V] where last_only). kData for rows that are not such, kDiverged for logits that
// are not finite, kInterrupted, kDisk. Throws OutOfMemory.
Result<LogitReport> write_logits(const EvalModel& model, const LogitRequest& request,
                                 const EvalProgress& progress);

}  // namespace lathe
