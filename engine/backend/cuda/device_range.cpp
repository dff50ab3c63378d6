// The driver's functions are asked for by name when they are first needed: the program must start
// where there is no driver.
#include "engine/backend/cuda/device_range.h"

#include "engine/backend/cuda/cuda_check.h"
#include "engine/backend/cuda/uncaptured_calls.h"
#include "engine/backend/device_error.h"

namespace lathe::cuda {
namespace {

// The driver's function of that name, as CUDA 12.0 declares it.
template <typename Function>
Function* driver_function(const char* name) {
  constexpr unsigned kVersion = 12000;
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
  CUDA_CHECK(cudaGetDriverEntryPointByVersion(name, &found, kVersion, cudaEnableDefault, &result));
  if (result != cudaDriverEntryPointSuccess || found == nullptr) {
    throw DeviceError(std::string("the driver has no ") + name + "; a newer one is needed");
  }
  return reinterpret_cast<Function*>(found);
}

struct Driver {
  decltype(cuMemAddressReserve)* reserve =
      driver_function<decltype(cuMemAddressReserve)>("cuMemAddressReserve");
  decltype(cuMemAddressFree)* free_addresses =
      driver_function<decltype(cuMemAddressFree)>("cuMemAddressFree");
  decltype(cuMemCreate)* create = driver_function<decltype(cuMemCreate)>("cuMemCreate");
  decltype(cuMemRelease)* release = driver_function<decltype(cuMemRelease)>("cuMemRelease");
  decltype(cuMemMap)* map = driver_function<decltype(cuMemMap)>("cuMemMap");
  decltype(cuMemUnmap)* unmap = driver_function<decltype(cuMemUnmap)>("cuMemUnmap");
  decltype(cuMemSetAccess)* set_access =
      driver_function<decltype(cuMemSetAccess)>("cuMemSetAccess");
};

const Driver& driver() {
  static const Driver functions;
  return functions;
}

}  // namespace

DeviceRange::DeviceRange(int device) : device_(device) {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  CUDA_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes));
  constexpr auto kPage = static_cast<std::size_t>(Pool::kPageBytes);
  const std::size_t wanted = (total_bytes + kPage - 1) / kPage * kPage;
  CUdeviceptr base = 0;
  CUDA_CHECK(driver().reserve(&base, wanted, kPage, 0, 0));
  base_ = reinterpret_cast<char*>(base);
  reserved_ = static_cast<std::int64_t>(wanted);
}

// Failures are not told: a device that was lost has nothing left to free.
DeviceRange::~DeviceRange() {
  for (const Part& part : parts_) {
    driver().unmap(reinterpret_cast<CUdeviceptr>(part.at), part.bytes);
  }
  driver().free_addresses(reinterpret_cast<CUdeviceptr>(base_),
                          static_cast<std::size_t>(reserved_));
}

bool DeviceRange::commit(char* at, std::int64_t bytes) {
  const UncapturedCalls allowed;
  CUmemAllocationProp what{};
  what.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  what.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device_};
  const auto size = static_cast<std::size_t>(bytes);
  CUmemGenericAllocationHandle memory = 0;
  const CUresult created = driver().create(&memory, size, &what, 0);
  if (created == CUDA_ERROR_OUT_OF_MEMORY) {
    return false;
  }
  CUDA_CHECK(created);
  const auto address = reinterpret_cast<CUdeviceptr>(at);
  const CUresult mapped = driver().map(address, size, 0, memory, 0);
  // The mapping keeps the memory; without one it goes back at once.
  CUDA_CHECK(driver().release(memory));
  CUDA_CHECK(mapped);
  parts_.push_back({at, size});
  const CUmemAccessDesc access{.location = what.location,
                               .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  CUDA_CHECK(driver().set_access(address, size, &access, 1));
  return true;
}

}  // namespace lathe::cuda
