// What a checkpoint has beside its weights becomes a part of these. LoRA: y = W x + s B A x becomes
// one W + s B A; beside two factors B_0 A_0 further directions of them, [B_0, s B] [A_0; A], which
// is the same map at rank r_0 + r. Hydra: (I + s B2 A2) W + s B A, and the same of the bias. SSF:
// gamma W and gamma b + beta, by rows.
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
  std::vector<float> a, b;                          // [rank, in], [out, rank]; empty without a rank
  std::vector<float> output_a = {}, output_b = {};  // [output_rank, out], [out, output_rank]
  std::vector<float> gamma = {}, beta = {};         // [out], of SSF
};

// Tensors that checkpoints have of it.
std::size_t tensors_of(const AdapterPlan& plan);

std::vector<LinearPlan> without_adapters(std::vector<LinearPlan> plans);

// kData where one is missing or misshapen.
Result<std::vector<StoredAdapter>> read_adapters(const SafetensorsFile& file,
                                                 const std::filesystem::path& folder,
                                                 const std::vector<LinearPlan>& plans);

// The weights that change, by name; `plans` gets the ranks of factors that grow, and biases that
// SSF brings: all slots then have one, and so has `config`. kUsage where an activation stands
// between factors that are to have more directions.
Result<std::map<std::string, std::vector<float>>> merged_values(
    const ModelFile& model, const std::vector<StoredAdapter>& adapters,
    std::vector<LinearPlan>& plans, ModelConfig& config);

}  // namespace lathe
