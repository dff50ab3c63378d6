// The suite on a real device.
#include "tests/device/device_conformance.h"
#include "tests/device/gpu.h"

int main(int argc, char** argv) {
  const auto device = lathe::test::gpu_backend();
  return device == nullptr ? lathe::test::kSkipped
                           : lathe::conformance::run_device_suite(argc, argv, "gpu",
                                                                  {device.get(), device.get()});
}
