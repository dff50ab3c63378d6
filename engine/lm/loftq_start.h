// The adapters that a folder of LoftQ brings, with which fine-tuning of it is to begin: a folder of
// PEFT's form in it, as LoftQ's authors publish them.
#pragma once

#include <filesystem>
#include <vector>

#include "engine/base/result.h"
#include "engine/io/adapter_merge.h"
#include "engine/io/model_file.h"
#include "engine/nn/transformer.h"

namespace lathe {

// Name of that folder.
inline constexpr const char* kLoftqFolder = "loftq_init";

// Writes it into the folder of a model that is there already; nothing where there are no adapters.
// kData, kDisk.
Result<void> write_loftq_start(const std::filesystem::path& model,
                               const std::vector<StoredAdapter>& adapters);

// Reads it, for the model that was opened from the folder around it. kUsage where there is none,
// kMismatch where it was made for other weights, kData as read_peft_adapter().
Result<std::vector<StoredAdapter>> read_loftq_start(const ModelFile& model);

// What of the slots' adapters and those of the file does not meet: empty, or a sentence.
std::string loftq_mismatch(const std::vector<StoredAdapter>& adapters,
                           const std::vector<LinearPlan>& slots);

// Sets the adapters of a transformer; their scale may differ from the file's. Precondition:
// loftq_mismatch() is empty.
void set_adapters(Backend& backend, Transformer& transformer,
                  const std::vector<StoredAdapter>& adapters, double scale);

}  // namespace lathe
