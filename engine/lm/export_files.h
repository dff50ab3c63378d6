// The files of an export, as they are written before they are proved.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "engine/lm/export_weights.h"
#include "engine/lm/model_export.h"

namespace lathe {

// Writes to `path` (a file or a folder); tells the bytes of the weights and what became of the
// tokenizer. kDisk.
Result<void> write_model(const ModelFile& source, const std::vector<ExportWeight>& weights,
                         const ExportRequest& request, const std::filesystem::path& path,
                         ExportReport& report);

// README.md of a folder: what the model is, what it was made from, what the export changed.
std::string model_card(const ModelFile& source, const ExportRequest& request,
                       const ExportReport& report);

}  // namespace lathe
