// How work on a model tells where it is.
#pragma once

#include <functional>
#include <string>

namespace lathe {

// Told the share that is done and what is being done; false stops (kInterrupted).
using CompressProgress = std::function<bool(double share, const std::string& what)>;

}  // namespace lathe
