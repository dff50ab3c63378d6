// The conformance suite on back ends that run the cuda kernels: a device, or the simulation.
#pragma once

#include <string>
#include <vector>

#include "engine/backend/backend.h"

namespace lathe::conformance {

// Registers all cases under the suite's name and runs what the command line asks for on each back
// end in turn; the same one may be named twice. Results must be close to cpu_ref's and, to the bit,
// each other's.
int run_device_suite(int argc, char** argv, const std::string& suite,
                     const std::vector<Backend*>& backends);

}  // namespace lathe::conformance
