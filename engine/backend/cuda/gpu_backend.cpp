// Results that the host reads later: kept on the device until it waits anyway.
#include "engine/backend/cuda/gpu_backend.h"

#include <utility>

namespace lathe {
GpuBackend::GpuBackend(BackendInfo info, const OpTable& table, std::unique_ptr<MemorySource> memory)
    : Backend(std::move(info), table, std::move(memory)),
      scratch_(device_block(kScratchBytes, "scratch")),
      results_(device_block(kHeldBytes - kScratchBytes, "results")),
      host_results_(kResultCount) {}

Tensor GpuBackend::device_block(std::int64_t bytes, const char* name) {
  const Tag tag{.category = Category::kWorkspace, .layer = "device", .name = name};
  return {allocator(), DType::kF32, Shape{bytes / std::int64_t{sizeof(float)}}, tag};
}

double* GpuBackend::result(std::size_t count, std::function<void(std::span<const double>)> take) {
  CHECK(count <= host_results_.size(), "results fit into their buffer");
  if (used_ + count > host_results_.size()) {
    synchronize();
  }
  pending_.push_back({used_, count, std::move(take)});
  double* const at = static_cast<double*>(results_.ref().data) + used_;
  used_ += count;
  return at;
}

// Work on the stream may yet write the slots; whoever gets them next writes after it.
void GpuBackend::forget_results() noexcept {
  pending_.clear();
  used_ = 0;
}

void GpuBackend::synchronize() {
  if (used_ > 0) {
    const auto bytes = static_cast<std::int64_t>(used_ * sizeof(double));
    read(results_, host_results_.data(), bytes);
  }
  wait_for_device();
  used_ = 0;
  for (const Pending& done : std::exchange(pending_, {})) {
    done.take(std::span(host_results_).subspan(done.first, done.count));
  }
}

}  // namespace lathe
