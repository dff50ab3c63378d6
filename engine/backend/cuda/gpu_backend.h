// What the sources of the cuda back end ask of the machine that runs them: a real device
// (cuda_backend.h), or the CPU in its place (engine/backend/simt). They know nothing else of
// either.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/backend/backend.h"

namespace lathe {

// c = alpha op(a) op(b) + beta c on matrices in row-major order, parts of larger ones where a
// leading dimension (elements from one row to the next, before the transposition) exceeds the
// width. op(a): [m, k], op(b): [k, n], both of f32 or both of bf16; c: f32 [m, n].
struct GemmCall {
  const void* a = nullptr;
  const void* b = nullptr;
  float* c = nullptr;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t lda = 0, ldb = 0, ldc = 0;
  bool transpose_a = false, transpose_b = false;
  DType factors = DType::kF32;
  float alpha = 1.0f, beta = 0.0f;
  const float* bias = nullptr;  // [n], added to each row of c; of fused_gemm() alone, as a_sums
  float* a_sums = nullptr;      // [m], the sums of op(a) over k
};

class GpuBackend : public Backend {
 public:
  // What a back end holds as long as it lives, in the ledger as workspace of "device".
  static constexpr std::int64_t kScratchBytes = 64 << 10;
  static constexpr std::int64_t kHeldBytes = kScratchBytes;

  // By a library. m and n are not 0; with a k of 0, c = beta c.
  virtual void gemm(const GemmCall& call) = 0;
  // The same with a bias or, where beta is 0, sums. False, and nothing is done, where the library
  // has no such product; which depends on the call's shape alone.
  virtual bool fused_gemm(const GemmCall& call) = 0;
  // From one place of the device to another, in the order of the stream.
  virtual void copy(const void* from, void* to, std::int64_t bytes) = 0;

  // Device memory that one op uses within its own launches; the next op overwrites it.
  void* scratch() { return scratch_.ref().data; }
  // Its first `bytes` as a tensor, for write().
  TensorRef scratch_bytes(std::int64_t bytes) const;

  // Shared memory that a block may have; at least kLeastSharedBytes.
  std::size_t shared_limit_bytes() const { return shared_limit_bytes_; }
  // Of compute capabilities 8.6 and 8.9, the least of those that code is built for.
  static constexpr std::size_t kLeastSharedBytes = 99 << 10;

  bool reads_host_memory() const override { return false; }

 protected:
  GpuBackend(BackendInfo info, const OpTable& table, std::unique_ptr<MemorySource> memory,
             std::size_t shared_limit_bytes);
  // Memory that the back end itself holds, in the ledger.
  Tensor device_block(std::int64_t bytes, const char* name);

 private:
  Tensor scratch_;
  std::size_t shared_limit_bytes_;
};

// The back end that an op of the cuda table was called with.
inline GpuBackend& gpu(Backend& backend) {
  return static_cast<GpuBackend&>(backend);
}

}  // namespace lathe
