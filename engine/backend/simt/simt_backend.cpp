// The simulated device: memory, copies, products.
#include "engine/backend/simt/simt_backend.h"

#include <cblas.h>

#include <cstdlib>
#include <cstring>

#include "engine/backend/cuda/ops.h"

namespace lathe {
namespace {

class SystemMemory final : public MemorySource {
 public:
  void* take(std::int64_t bytes) override {
    void* data = nullptr;
    if (posix_memalign(&data, kGranule, static_cast<std::size_t>(bytes)) != 0) {
      return nullptr;
    }
    held_bytes_ += bytes;
    return data;
  }
  void give_back(void* data, std::int64_t bytes) noexcept override {
    std::free(data);
    held_bytes_ -= bytes;
  }
  std::int64_t pool_bytes() const override { return held_bytes_; }

 private:
  std::int64_t held_bytes_ = 0;
};

// As many multiprocessors as workspaces are asked for: few, so that tests meet several rounds.
constexpr int kMultiprocessors = 2;

}  // namespace

SimtBackend::SimtBackend(simt::Turns turns, ProductPrecision products)
    : GpuBackend({.name = "simt",
                  .device = "simulated",
                  .parallelism = kMultiprocessors,
                  .products = products,
                  .held_bytes = kHeldBytes},
                 simt::op_table(), std::make_unique<SystemMemory>()),
      turns_(turns) {}

void SimtBackend::write(TensorRef to, const void* from, std::int64_t bytes) {
  CHECK(bytes <= to.bytes(), "a write ends within the tensor");
  if (bytes > 0) {
    std::memcpy(to.data, from, static_cast<std::size_t>(bytes));
  }
}

void SimtBackend::read(TensorRef from, void* to, std::int64_t bytes) {
  CHECK(bytes <= from.bytes(), "a read ends within the tensor");
  if (bytes > 0) {
    std::memcpy(to, from.data, static_cast<std::size_t>(bytes));
  }
}

void SimtBackend::copy(const void* from, void* to, std::int64_t bytes) {
  if (bytes > 0) {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
}

void SimtBackend::gemm(const GemmCall& call) {
  const auto extent = [](std::int64_t value) { return static_cast<blasint>(value); };
  cblas_sgemm(CblasRowMajor, call.transpose_a ? CblasTrans : CblasNoTrans,
              call.transpose_b ? CblasTrans : CblasNoTrans, extent(call.m), extent(call.n),
              extent(call.k), call.alpha, call.a, extent(call.lda), call.b, extent(call.ldb),
              call.beta, call.c, extent(call.ldc));
}

}  // namespace lathe
