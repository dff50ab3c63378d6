// Slots of a model that a file keeps as two factors, y = B f(A x) + b: their names, and the entry
// of config.json that tells which they are. A folder of such a model says
//   "factored_slots": {"model.layers.3.mlp.down_proj": {"rank": 96, "bias": true}}
// with the module's name as transformers has it, and keeps "....down_proj.a.weight" [rank, in],
// "....b.weight" [out, rank] and, where `bias` says so, "....b.bias" [out].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/io/model_names.h"
#include "engine/nn/linear_plan.h"

namespace lathe {

// What stands before the name of the architecture, "LatheFactoredLlamaForCausalLM".
inline constexpr std::string_view kFactoredPrefix = "LatheFactored";

// Whether files of that scheme can keep the slot of that name apart from others: not q, k and v
// where they are one matrix.
bool stands_alone(NameScheme scheme, const std::string& slot);

// The weights of a model with such slots, in the order of Transformer::parameters().
std::vector<NamedWeight> slot_weights(const ModelConfig& model, NameScheme scheme,
                                      const std::vector<LinearPlan>& plans);

// The slots that a config.json tells; dense_plan() where it tells of none. kData, with `origin`.
Result<std::vector<LinearPlan>> factored_plan(const Json& config, const ModelConfig& model,
                                              NameScheme scheme, const std::string& origin);

// The entry for config.json; empty where no slot is factored.
Json factored_slots_json(const ModelConfig& model, NameScheme scheme,
                         const std::vector<LinearPlan>& plans);

}  // namespace lathe
