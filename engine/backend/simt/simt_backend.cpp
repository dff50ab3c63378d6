// The simulated device: memory, copies, products.
#include "engine/backend/simt/simt_backend.h"

#include <cblas.h>

#include <cstring>
#include <utility>
#include <vector>

#include "engine/backend/cuda/ops.h"
#include "engine/backend/system_memory.h"
#include "engine/quant/block_codec.h"

namespace lathe {
namespace {

// As many multiprocessors as workspaces are asked for: few, so that tests meet several rounds.
constexpr int kMultiprocessors = 2;

// A whole bf16 matrix as floats.
std::vector<float> floats_of(const void* bits, std::int64_t rows, std::int64_t leading) {
  std::vector<float> values(static_cast<std::size_t>(rows * leading));
  decode_row(DType::kBf16, static_cast<const std::byte*>(bits), values.data(), rows * leading);
  return values;
}

}  // namespace

SimtBackend::SimtBackend(simt::Turns turns, ProductPrecision products,
                         std::size_t shared_limit_bytes)
    : GpuBackend({.name = "simt",
                  .device = "simulated",
                  .parallelism = kMultiprocessors,
                  .products = products,
                  .held_bytes = kHeldBytes},
                 simt::op_table(), std::make_unique<SystemMemory>(), shared_limit_bytes),
      turns_(turns) {}

void SimtBackend::write(TensorRef to, const void* from, std::int64_t bytes) {
  CHECK(bytes <= to.bytes(), "a write ends within the tensor");
  if (bytes > 0) {
    std::memcpy(to.data, from, static_cast<std::size_t>(bytes));
  }
}

void SimtBackend::write_beside(TensorRef to, const void* from, std::int64_t bytes) {
  const auto* const first = static_cast<const std::byte*>(from);
  beside_.push_back({to, {first, first + bytes}});
}

void SimtBackend::join_writes() {
  for (const Copy& copy : std::exchange(beside_, {})) {
    write(copy.to, copy.bytes.data(), static_cast<std::int64_t>(copy.bytes.size()));
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
  if (call.factors == DType::kBf16) {
    const std::vector<float> a = floats_of(call.a, call.transpose_a ? call.k : call.m, call.lda);
    const std::vector<float> b = floats_of(call.b, call.transpose_b ? call.n : call.k, call.ldb);
    GemmCall floats = call;
    floats.a = a.data();
    floats.b = b.data();
    floats.factors = DType::kF32;
    gemm(floats);
    return;
  }
  const auto extent = [](std::int64_t value) { return static_cast<blasint>(value); };
  cblas_sgemm(CblasRowMajor, call.transpose_a ? CblasTrans : CblasNoTrans,
              call.transpose_b ? CblasTrans : CblasNoTrans, extent(call.m), extent(call.n),
              extent(call.k), call.alpha, static_cast<const float*>(call.a), extent(call.lda),
              static_cast<const float*>(call.b), extent(call.ldb), call.beta, call.c,
              extent(call.ldc));
}

}  // namespace lathe
