// MODEL on the command line and in the window: a file or folder, the name of one that is installed,
// or a run that left a checkpoint.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "app/cli.h"
#include "experiments/eval_run.h"

namespace lathe::app {

// Whether a model without a tokenizer will do.
enum class TextUse : std::uint8_t { kNeeded, kOptional };

// A file or folder to be measured: as floats, or with a threshold as it is stored
// (LanguageModel::open()). kData. Throws OutOfMemory.
Result<experiments::OpenedModel> open_model_file(const std::filesystem::path& path,
                                                 const GlobalOptions& options, TextUse text,
                                                 std::optional<double> int8_threshold = {});

// Opens a MODEL to be evaluated; a run multiplies as its own train.int8_products says, and a
// threshold is kUsage. kData or kUsage as the kind of model says. Throws OutOfMemory.
Result<experiments::OpenedModel> open_model(storage::RunCatalog& catalog, const std::string& model,
                                            const GlobalOptions& options,
                                            std::optional<double> int8_threshold);

}  // namespace lathe::app
