// Tensors that a checkpoint of ours has beside its weights.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/io/safetensors.h"

namespace lathe {

// kData where there is no f32 tensor of that name and shape.
Result<std::vector<float>> checkpoint_floats(const SafetensorsFile& file,
                                             const std::filesystem::path& folder,
                                             const std::string& name,
                                             const std::vector<std::int64_t>& shape);

}  // namespace lathe
