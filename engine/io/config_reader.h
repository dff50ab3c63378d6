// Reads the values of foreign configs into a ModelConfig: every number goes through the ranges that
// ModelConfig itself states, so that no file can ask for a shape that is not one.
#pragma once

#include <optional>
#include <string>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "engine/nn/model_config.h"

namespace lathe {

// `fields` by ModelConfig's own names, over its defaults. kData, with `origin`, for values out of
// range and shapes that cannot be.
Result<ModelConfig> checked_model_config(const Json& fields, const std::string& origin);

}  // namespace lathe
