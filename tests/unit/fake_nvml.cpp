// In place of libnvidia-ml.so.1: a library with two devices, loaded by nvml_test at run time.
#include <cstring>

extern "C" {

struct FakeMemory {
  unsigned int version;
  unsigned long long total, reserved, free, used;
};

// How often it was begun and not ended yet; the test asks for it by its name.
int fake_nvml_begun = 0;

int nvmlInit_v2() {
  ++fake_nvml_begun;
  return 0;
}
int nvmlShutdown() {
  --fake_nvml_begun;
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  static char whole = 0;
  static char part = 1;
  if (std::strcmp(uuid, "GPU-00010203-0405-0607-0809-0a0b0c0d0eff") == 0) {
    *device = &whole;
    return 0;
  }
  if (std::strcmp(uuid, "MIG-ff010203-0405-0607-0809-0a0b0c0d0eff") == 0) {
    *device = &part;
    return 0;
  }
  return 6;  // NVML_ERROR_NOT_FOUND
}
// The part refuses, as parts do without permission.
int nvmlDeviceGetMemoryInfo_v2(void* device, FakeMemory* memory) {
  if (memory->version != (40u | 2u << 24) || *static_cast<char*>(device) != 0) {
    return 4;  // NVML_ERROR_NO_PERMISSION
  }
  memory->total = 100ull << 30;
  memory->reserved = 1ull << 30;
  memory->free = 57ull << 30;
  memory->used = 42ull << 30;
  return 0;
}
}
