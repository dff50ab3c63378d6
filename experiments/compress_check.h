// What is asked of a compression, before anything is read: its name, and whether it can be.
#pragma once

#include <string>

#include "engine/base/result.h"
#include "experiments/compress_run.h"

namespace lathe::experiments {

// "SmolLM2 affine budget=0.8 int4_g64 gptq". Precondition: check() passed.
std::string compress_title(const CompressSpec& spec, const std::string& model);

// kUsage for choices that contradict each other, or a place that is taken.
Result<void> check(const CompressRequest& request);

}  // namespace lathe::experiments
