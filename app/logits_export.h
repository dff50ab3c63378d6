// lathe export MODEL --format logits: what a model thinks of every next token, as a file.
#pragma once

#include <functional>
#include <string>

#include "app/cli.h"
#include "engine/eval/logit_file.h"

namespace lathe::app {

// MODEL as open_model() takes it; it needs no tokenizer where the rows are ids.
Result<LogitReport> export_logits(const GlobalOptions& options, const std::string& model,
                                  const LogitRequest& request, const EvalProgress& progress);

}  // namespace lathe::app
