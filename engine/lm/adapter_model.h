// The folder of an adapter as a model: the base that it names, with the adapter added to its
// weights.
#pragma once

#include <filesystem>

#include "engine/base/result.h"
#include "engine/io/model_file.h"

namespace lathe {

// The base that an adapter's folder names: a path, also from that folder, or an installed model,
// whose name may come after an organisation's ("org/name"). kData for an adapter_config.json that
// cannot be used, kUsage where there is no such base, or it is an adapter itself.
Result<std::filesystem::path> adapter_base(const std::filesystem::path& folder);

// A .gguf file, a folder of transformers or one of an adapter; else as ModelFile::open(). Errors of
// adapter_base() and read_peft_adapter(); kMismatch, naming both hashes, where the adapter says
// that it was made for other weights.
Result<ModelFile> open_model_at(const std::filesystem::path& path);

}  // namespace lathe
