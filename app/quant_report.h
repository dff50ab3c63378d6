// What `lathe inspect MODEL --quant TYPE` tells: what rounding a model's layers would lose, by type
// or by matrix.
#pragma once

#include <filesystem>
#include <string>

#include "engine/base/result.h"

namespace lathe::app {

// `type`: "nf4", "int4_g64" ..., or "all" for a line to each. kUsage for another, naming them;
// errors as open_model_at() and probe_quant().
Result<void> report_quant(const std::filesystem::path& path, const std::string& type, bool json);

}  // namespace lathe::app
