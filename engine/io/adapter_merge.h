// Adapters of a checkpoint, added to the weights that they were trained beside: y = W x + s B A x
// becomes one W + s B A. Beside two factors B_0 A_0 they become further directions of them,
// [B_0, s B] [A_0; A], which is the same map at rank r_0 + r.
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

struct StoredAdapter {
  std::string slot;
  AdapterPlan plan;
  std::vector<float> a, b;  // [rank, in], [out, rank]
};

std::vector<LinearPlan> without_adapters(std::vector<LinearPlan> plans);

// kData where one is missing or misshapen.
Result<std::vector<StoredAdapter>> read_adapters(const SafetensorsFile& file,
                                                 const std::filesystem::path& folder,
                                                 const std::vector<LinearPlan>& plans);

// The weights that change, by name; `plans` gets the ranks of factors that grow. kUsage where an
// activation stands between factors.
Result<std::map<std::string, std::vector<float>>> merged_values(
    const ModelFile& model, const std::vector<StoredAdapter>& adapters,
    std::vector<LinearPlan>& plans);

}  // namespace lathe
