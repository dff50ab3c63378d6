// The management library against one of our own: found by UUID, asked, let go; and all the ways in
// which there is nothing to ask.
#include "engine/backend/cuda/nvml.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

namespace lathe::cuda {
namespace {

DeviceUuid uuid_beginning_with(unsigned char first) {
  return {first, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255};
}

TEST(Nvml, TellsWhatAllProgramsUseWithoutWhatTheDriverReserves) {
  const auto device = NvmlDevice::open(uuid_beginning_with(0), LATHE_FAKE_NVML);
  ASSERT_NE(device, nullptr);
  EXPECT_EQ(device->used_bytes(), std::int64_t{42} << 30);
}

TEST(Nvml, APartOfADeviceThatRefusesTellsNothing) {
  const auto part = NvmlDevice::open(uuid_beginning_with(255), LATHE_FAKE_NVML);
  ASSERT_NE(part, nullptr);
  EXPECT_EQ(part->used_bytes(), std::nullopt);
}

TEST(Nvml, IsEndedAsOftenAsItWasBegun) {
  void* const library = dlopen(LATHE_FAKE_NVML, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr);
  const auto* begun = static_cast<int*>(dlsym(library, "fake_nvml_begun"));
  ASSERT_NE(begun, nullptr);
  {
    const auto device = NvmlDevice::open(uuid_beginning_with(0), LATHE_FAKE_NVML);
    EXPECT_EQ(*begun, 1);
    EXPECT_EQ(NvmlDevice::open(uuid_beginning_with(77), LATHE_FAKE_NVML), nullptr) << "unknown";
    EXPECT_EQ(*begun, 1);
  }
  EXPECT_EQ(*begun, 0);
  dlclose(library);
}

TEST(Nvml, NoLibraryOrOneWithoutTheFunctionsIsNoDevice) {
  EXPECT_EQ(NvmlDevice::open(uuid_beginning_with(0), "libno-such-library.so.1"), nullptr);
  EXPECT_EQ(NvmlDevice::open(uuid_beginning_with(0), "libm.so.6"), nullptr);
}

}  // namespace
}  // namespace lathe::cuda
