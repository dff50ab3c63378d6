// A compression or training method as a row of functions. The registry (registry.cpp) lists them; a
// spec holds the chosen ones as a JSON object id -> parameters, in the registry's order.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/params.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/model_config.h"

namespace lathe {

struct Method {
  std::string_view id;     // "low_rank"
  std::string_view title;  // "Low-rank layers"
  std::string_view paper;  // what it implements
  // Parameters under `prefix` ("method.low_rank").
  void (*append_params)(std::string_view prefix, std::vector<ParamInfo>& out) = nullptr;
  // Reads `in` over the defaults and gives the full canonical object; errors are appended.
  Json (*normalise)(const Json& in, const std::string& prefix,
                    std::vector<std::string>& errors) = nullptr;
  // Sets the storage of the linear slots it concerns; errors (cannot work) and warnings (works, but
  // costs) are appended.
  void (*plan)(const Json& params, const ModelConfig& model, std::vector<LinearPlan>& slots,
               std::vector<std::string>& errors, std::vector<std::string>& warnings) = nullptr;
};

// All methods, sorted by id.
std::span<const Method> methods();

// nullptr if there is none of that id.
const Method* find_method(std::string_view id);

}  // namespace lathe
