// The suite on the simulation, with threads and blocks in ascending and in descending order: a race
// shows as bits that differ.
#include "engine/backend/simt/simt_backend.h"
#include "tests/device/device_conformance.h"

int main(int argc, char** argv) {
  lathe::SimtBackend ascending(lathe::simt::Turns::kAscending);
  lathe::SimtBackend descending(lathe::simt::Turns::kDescending);
  return lathe::conformance::run_device_suite(argc, argv, "simt", {&ascending, &descending});
}
