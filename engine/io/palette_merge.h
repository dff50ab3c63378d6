// What a checkpoint has of weights that are read through palettes (method.dkm): each becomes its
// nearest centroid, as evaluation reads it, and the matrix a packed palette.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/io/model_file.h"
#include "engine/io/safetensors.h"
#include "engine/nn/linear_plan.h"

namespace lathe {

// Tensors that checkpoints have of the palettes of a slot.
std::size_t palette_tensors(const LinearPlan& plan);

std::vector<LinearPlan> without_palettes(std::vector<LinearPlan> plans);

// The matrices of slots whose palettes had begun, by name: packed, or floats where rows are not
// whole blocks of packed ones; with PalettePlan::tables embedding and head as well. kData where
// something is missing, misshapen or not finite.
Result<std::map<std::string, StoredValues>> stored_palettes(const SafetensorsFile& file,
                                                            const std::filesystem::path& folder,
                                                            const ModelFile& model,
                                                            const std::vector<LinearPlan>& plans);

}  // namespace lathe
