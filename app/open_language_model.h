// MODEL as something that speaks: a file as it is stored, or what a run left, with its tokenizer.
#pragma once

#include <optional>
#include <string>

#include "app/cli.h"
#include "engine/lm/language_model.h"

namespace lathe::app {

// `model`: a file, a folder, an installed model, a run, or the folder of a run's checkpoint. kUsage
// where there is none such, kData for what cannot be read; int8_threshold as LanguageModel::open(),
// of files alone. Throws OutOfMemory.
Result<LanguageModel> open_language_model(Backend& backend, const std::string& model,
                                          const GlobalOptions& options,
                                          std::optional<double> int8_threshold = {});

}  // namespace lathe::app
