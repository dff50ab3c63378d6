// What devices and their simulation hold alike.
#include "engine/backend/cuda/gpu_backend.h"

#include <utility>

namespace lathe {

GpuBackend::GpuBackend(BackendInfo info, const OpTable& table, std::unique_ptr<MemorySource> memory,
                       std::size_t shared_limit_bytes)
    : Backend(std::move(info), table, std::move(memory)),
      scratch_(device_block(kScratchBytes, "scratch")),
      shared_limit_bytes_(shared_limit_bytes) {}

Tensor GpuBackend::device_block(std::int64_t bytes, const char* name) {
  const Tag tag{.category = Category::kWorkspace, .layer = "device", .name = name};
  return {allocator(), DType::kF32, Shape{bytes / std::int64_t{sizeof(float)}}, tag};
}

TensorRef GpuBackend::scratch_bytes(std::int64_t bytes) const {
  const std::int64_t floats = (bytes + 3) / std::int64_t{sizeof(float)};
  CHECK(bytes <= kScratchBytes, "scratch has room for it");
  return {scratch_.ref().data, DType::kF32, Shape{floats}};
}

}  // namespace lathe
