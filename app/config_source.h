// From what a person names on the command line (a JSON file or a config that comes with the
// program, then key=value) to a spec document.
#pragma once

#include <string>
#include <vector>

#include "engine/base/json.h"
#include "engine/base/result.h"
#include "experiments/run_spec.h"

namespace lathe::app {

// The document of a file, or of assets/configs/<name>.json. kUsage names the configs there are.
Result<Json> load_config(const std::string& config);

// The run part of a config (without its "sweep" section) with the overrides applied and checked.
Result<experiments::RunSpec> load_run_spec(const std::string& config,
                                           const std::vector<std::string>& overrides);

}  // namespace lathe::app
