// The cuda back end's own sources, run on the CPU thread by thread: for tests, which so execute
// device code on machines without a device. Memory comes block by block from the system, so that
// the address sanitizer sees accesses beyond a tensor; products come from OpenBLAS in place of
// cuBLAS.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "engine/backend/cuda/gpu_backend.h"
#include "engine/backend/simt/block.h"

namespace lathe {

class SimtBackend final : public GpuBackend {
 public:
  // Shared memory of a block on compute capability 9.0.
  static constexpr std::size_t kSharedBytes = 227 << 10;

  explicit SimtBackend(simt::Turns turns, ProductPrecision products = ProductPrecision::kF32,
                       std::size_t shared_limit_bytes = kSharedBytes);
  simt::Turns turns() const { return turns_; }

  void write(TensorRef to, const void* from, std::int64_t bytes) override;
  // As late as a device may: when joined. An op that does not wait finds what was there before.
  void write_beside(TensorRef to, const void* from, std::int64_t bytes) override;
  void join_writes() override;
  void read(TensorRef from, void* to, std::int64_t bytes) override;
  void gemm(const GemmCall& call) override;
  // Of extents that four divides: the library has some, and some not.
  bool fused_gemm(const GemmCall& call) override;
  void copy(const void* from, void* to, std::int64_t bytes) override;
  bool records() const override { return true; }
  // Issued again, ops find neither their passing memory nor scratch as they left it. A tensor that
  // came later is taken to lie in that memory.
  std::unique_ptr<RecordedOps> record(const std::function<void()>& work) override;
  int recordings() const { return recordings_; }

  // What an op does on the device: now, or each time that what is being recorded is issued.
  void perform(std::function<void()> what) {
    if (recording_ == nullptr) {
      what();
    } else {
      recording_->push_back(std::move(what));
    }
  }

 private:
  struct Copy {
    TensorRef to;
    std::vector<std::byte> bytes;
  };

  simt::Turns turns_;
  std::vector<std::function<void()>>* recording_ = nullptr;
  int recordings_ = 0;
  std::vector<Copy> beside_;
};

}  // namespace lathe
