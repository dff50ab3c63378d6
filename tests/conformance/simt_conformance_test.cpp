// The suite on the simulation, with threads and blocks in ascending and in descending order: a race
// shows as bits that differ.
#include "engine/backend/simt/simt_backend.h"
#include "tests/conformance/device_conformance.h"

int main(int argc, char** argv) {
  return lathe::conformance::run_device_suite(argc, argv, "simt", [] {
    std::vector<std::unique_ptr<lathe::Backend>> backends;
    for (const auto turns : {lathe::simt::Turns::kAscending, lathe::simt::Turns::kDescending}) {
      backends.push_back(std::make_unique<lathe::SimtBackend>(turns));
    }
    return backends;
  });
}
