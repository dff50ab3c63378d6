// The model that a recorded run left: its newest checkpoint, read with the tokenizer of its corpus.
#pragma once

#include <string_view>

#include "app/cli.h"
#include "engine/train/train_spec.h"
#include "experiments/eval_run.h"

namespace lathe::app {

// The newest that is still there; kUsage where none is.
Result<storage::CheckpointRow> newest_checkpoint(const storage::RunDetail& detail);

// Where a model of text is wanted: kUsage for a run whose spec is one of images.
Result<void> check_run_reads_text(const storage::RunDetail& detail, const TrainSpec& spec);

// `id` as the store takes it. kUsage for a run that left no checkpoint, or is of images; kData for
// one that cannot be read, and what opening its corpus may say. Throws OutOfMemory.
Result<experiments::OpenedModel> open_run_model(storage::RunCatalog& catalog, std::string_view id,
                                                const GlobalOptions& options);

}  // namespace lathe::app
