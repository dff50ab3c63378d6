// Writes the adapters of a run alone, in PEFT's format, for programs that have the base; proved
// before they get their name: opened again beside that base they must compute the run's logits.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "engine/io/adapter_merge.h"
#include "engine/lm/model_export.h"

namespace lathe {

struct AdapterExport {
  const ModelFile& base;             // as its file has it
  const ModelFile& merged;           // what the run has made of it
  std::vector<StoredAdapter> slots;  // as the run trained them
  std::filesystem::path out;         // a folder that does not exist
  std::string name;                  // for people
  std::string base_name;             // a path, or the name of an installed model
  // The type that the run rounded the base's matrices to when it began (rounded_base()).
  std::optional<StoredType> rounded_to = {};
  Json record = Json::object();  // as ExportRequest has it
  ExportProgress progress = {};
};

// The adapters as differences to the base's own weights: those that began as its leading part
// (PiSSA), of which the weights were freed, become s ([B, -B_0] [A; A_0]) of twice the rank. kUsage
// where weights have changed otherwise: by restarts, or because the rest was trained too.
Result<std::vector<StoredAdapter>> beside_base(const ModelFile& base,
                                               std::vector<StoredAdapter> slots);

// Errors as export_model(), and as beside_base(). max_change and what follows it in the report are
// against the run's own model, too.
Result<ExportReport> export_adapter(Backend& backend, const AdapterExport& request);

}  // namespace lathe
