// The model that a recorded run left: its newest checkpoint, read with the tokenizer of its corpus.
#pragma once

#include <string_view>

#include "app/cli.h"
#include "experiments/eval_run.h"

namespace lathe::app {

// The newest that is still there; kUsage where none is.
Result<storage::CheckpointRow> newest_checkpoint(const storage::RunDetail& detail);

// `id` as the store takes it. kUsage for a run that left no checkpoint, kData for one that cannot
// be read, and what opening its corpus may say. Throws OutOfMemory.
Result<experiments::OpenedModel> open_run_model(storage::RunCatalog& catalog, std::string_view id,
                                                const GlobalOptions& options);

}  // namespace lathe::app
