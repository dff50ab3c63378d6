// The shape of a model that the keys of a GGUF file tell.
#pragma once

#include "engine/base/result.h"
#include "engine/io/gguf.h"
#include "engine/nn/model_config.h"

namespace lathe {

// Architectures llama, gpt2 and starcoder. kData for another one, a missing key, or an option that
// is not computed here. Rows of q and k are taken as turned to halves (Turn::kPairsToHalves).
Result<ModelConfig> model_config_of(const GgufFile& file, const std::string& origin);

}  // namespace lathe
