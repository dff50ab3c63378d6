// What ends a run or a job from below, as the error that its user reads: the walls at which
// exceptions stop (runner, model lane, verbs) all say it in these words.
#pragma once

#include <exception>
#include <string>

#include "engine/base/result.h"

namespace lathe {

// kOutOfMemory, with the remedy that fits the job, for memory that cannot be had; kDevice for what
// a device refused; kFailed for the rest.
Error error_of(const std::exception& failure, const std::string& memory_remedy);

}  // namespace lathe
