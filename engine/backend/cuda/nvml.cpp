// The few declarations of nvml.h that are needed: the header comes with no driver. Names, numbers
// and layouts are those of NVIDIA's "NVML API Reference"; the library keeps them from version to
// version. Nothing of CUDA is used here, so it is built and tested on every machine.
#include "engine/backend/cuda/nvml.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstddef>
#include <string>

namespace lathe::cuda {
namespace {

constexpr int kSuccess = 0;

// nvmlMemory_v2_t: `used` is what programs have, `reserved` what the driver keeps for itself.
struct Memory {
  unsigned int version;
  unsigned long long total;
  unsigned long long reserved;
  unsigned long long free;
  unsigned long long used;
};
static_assert(sizeof(Memory) == 40 && offsetof(Memory, used) == 32, "as the library has it");
constexpr unsigned int kMemoryVersion = sizeof(Memory) | 2u << 24;

// "GPU-01234567-89ab-cdef-0123-456789abcdef"; parts of devices begin with "MIG-".
std::string uuid_text(const char* kind, const DeviceUuid& uuid) {
  std::string text = kind;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    const bool group = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
    text += fmt::format("{}{:02x}", group ? "-" : "", uuid[i]);
  }
  return text;
}

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

struct NvmlDevice::Library {
  void* file = nullptr;
  bool begun = false;
  int (*init)() = nullptr;
  int (*shutdown)() = nullptr;
  int (*handle_by_uuid)(const char* uuid, void** device) = nullptr;
  int (*memory_info)(void* device, Memory* memory) = nullptr;

  // False if anything is missing.
  bool load(const char* name) {
    file = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    begun = file != nullptr && find(file, "nvmlInit_v2", init) &&
            find(file, "nvmlShutdown", shutdown) &&
            find(file, "nvmlDeviceGetHandleByUUID", handle_by_uuid) &&
            find(file, "nvmlDeviceGetMemoryInfo_v2", memory_info) && init() == kSuccess;
    return begun;
  }
  ~Library() {
    if (begun) {
      shutdown();
    }
    if (file != nullptr) {
      dlclose(file);
    }
  }
};

NvmlDevice::NvmlDevice(std::unique_ptr<Library> library, void* device)
    : library_(std::move(library)), device_(device) {}

NvmlDevice::~NvmlDevice() = default;

std::unique_ptr<NvmlDevice> NvmlDevice::open(const DeviceUuid& uuid, const char* file) {
  auto library = std::make_unique<Library>();
  if (!library->load(file)) {
    return nullptr;
  }
  for (const char* kind : {"GPU", "MIG"}) {
    void* device = nullptr;
    if (library->handle_by_uuid(uuid_text(kind, uuid).c_str(), &device) == kSuccess) {
      return std::unique_ptr<NvmlDevice>(new NvmlDevice(std::move(library), device));
    }
  }
  return nullptr;
}

std::optional<std::int64_t> NvmlDevice::used_bytes() const {
  Memory memory{};
  memory.version = kMemoryVersion;
  if (library_->memory_info(device_, &memory) != kSuccess) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(memory.used);
}

}  // namespace lathe::cuda
