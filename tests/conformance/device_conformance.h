// The suite on a back end that runs the cuda kernels: a device, or the simulation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/backend/backend.h"

namespace lathe::conformance {

// Back ends whose results must be close to cpu_ref's and, to the bit, each other's.
using DeviceBackends = std::function<std::vector<std::unique_ptr<Backend>>()>;

// Registers all cases under the suite's name and runs what the command line asks for.
int run_device_suite(int argc, char** argv, const std::string& suite,
                     const DeviceBackends& backends);

}  // namespace lathe::conformance
