// The simulated device: memory, copies, products.
#include "engine/backend/simt/simt_backend.h"

#include <cblas.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "engine/backend/cuda/ops.h"
#include "engine/backend/simt/recording_memory.h"
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

// Ops as they were issued, and the memory that they took on their way.
struct Recorded final : public RecordedOps {
  Recorded(simt::RecordingMemory& source, void* scratch_memory)
      : blocks(source.system()),
        memory(source),
        live_before(source.live_blocks()),
        scratch(scratch_memory) {}
  bool valid() const override { return memory.live_blocks() <= live_before; }
  void issue() override {
    blocks.spoil();
    std::memset(scratch, 0xff, GpuBackend::kScratchBytes);
    for (const std::function<void()>& op : ops) {
      op();
    }
  }
  std::vector<std::function<void()>> ops;
  simt::KeptBlocks blocks;
  const simt::RecordingMemory& memory;
  std::int64_t live_before;
  void* scratch;
};

void multiply(const GemmCall& call) {
  if (call.factors == DType::kBf16) {
    const std::vector<float> a = floats_of(call.a, call.transpose_a ? call.k : call.m, call.lda);
    const std::vector<float> b = floats_of(call.b, call.transpose_b ? call.n : call.k, call.ldb);
    GemmCall floats = call;
    floats.a = a.data();
    floats.b = b.data();
    floats.factors = DType::kF32;
    multiply(floats);
    return;
  }
  const auto extent = [](std::int64_t value) { return static_cast<blasint>(value); };
  cblas_sgemm(CblasRowMajor, call.transpose_a ? CblasTrans : CblasNoTrans,
              call.transpose_b ? CblasTrans : CblasNoTrans, extent(call.m), extent(call.n),
              extent(call.k), call.alpha, static_cast<const float*>(call.a), extent(call.lda),
              static_cast<const float*>(call.b), extent(call.ldb), call.beta, call.c,
              extent(call.ldc));
}

void add_epilogue(const GemmCall& call) {
  for (std::int64_t row = 0; row < call.m && call.bias != nullptr; ++row) {
    float* const c = call.c + row * call.ldc;
    std::transform(c, c + call.n, call.bias, c, std::plus<>());
  }
  const auto* const a = static_cast<const float*>(call.a);
  for (std::int64_t i = 0; i < call.m && call.a_sums != nullptr; ++i) {
    double sum = 0.0;
    for (std::int64_t p = 0; p < call.k; ++p) {
      sum += double(call.transpose_a ? a[p * call.lda + i] : a[i * call.lda + p]);
    }
    call.a_sums[i] = static_cast<float>(sum);
  }
}

}  // namespace

SimtBackend::SimtBackend(simt::Turns turns, ProductPrecision products,
                         std::size_t shared_limit_bytes)
    : GpuBackend({.name = "simt",
                  .device = "simulated",
                  .parallelism = kMultiprocessors,
                  .products = products,
                  .held_bytes = kHeldBytes},
                 simt::op_table(), std::make_unique<simt::RecordingMemory>(), shared_limit_bytes),
      turns_(turns) {}

void SimtBackend::write(TensorRef to, const void* from, std::int64_t bytes) {
  CHECK(bytes <= to.bytes(), "a write ends within the tensor");
  if (recording_ != nullptr) {
    const auto* const first = static_cast<const std::byte*>(from);
    perform([to, bytes, kept = std::vector<std::byte>(first, first + bytes)] {
      std::copy_n(kept.data(), bytes, static_cast<std::byte*>(to.data));
    });
  } else if (bytes > 0) {
    std::memcpy(to.data, from, static_cast<std::size_t>(bytes));
  }
}

void SimtBackend::write_beside(TensorRef to, const void* from, std::int64_t bytes) {
  CHECK(recording_ == nullptr, "only what is done in order is recorded");
  const auto* const first = static_cast<const std::byte*>(from);
  beside_.push_back({to, {first, first + bytes}});
}

void SimtBackend::join_writes() {
  CHECK(recording_ == nullptr, "only what is done in order is recorded");
  for (const Copy& copy : std::exchange(beside_, {})) {
    write(copy.to, copy.bytes.data(), static_cast<std::int64_t>(copy.bytes.size()));
  }
}

void SimtBackend::read(TensorRef from, void* to, std::int64_t bytes) {
  CHECK(bytes <= from.bytes(), "a read ends within the tensor");
  CHECK(recording_ == nullptr, "nothing is read while ops are recorded");
  if (bytes > 0) {
    std::memcpy(to, from.data, static_cast<std::size_t>(bytes));
  }
}

void SimtBackend::copy(const void* from, void* to, std::int64_t bytes) {
  if (bytes > 0) {
    perform([=] { std::memcpy(to, from, static_cast<std::size_t>(bytes)); });
  }
}

void SimtBackend::gemm(const GemmCall& call) {
  perform([call] { multiply(call); });
}

bool SimtBackend::fused_gemm(const GemmCall& call) {
  if (call.m % 4 != 0 || call.n % 4 != 0 || call.k % 4 != 0 || call.factors != DType::kF32) {
    return false;
  }
  perform([call] {
    multiply(call);
    add_epilogue(call);
  });
  return true;
}

std::unique_ptr<RecordedOps> SimtBackend::record(const std::function<void()>& work) {
  CHECK(recording_ == nullptr, "one thing is recorded at a time");
  auto& memory = static_cast<simt::RecordingMemory&>(allocator().source());
  auto recorded = std::make_unique<Recorded>(memory, scratch());
  ++recordings_;
  const auto end = [&] {
    recording_ = nullptr;
    memory.keep_in(nullptr);
  };
  recording_ = &recorded->ops;
  memory.keep_in(&recorded->blocks);
  try {
    work();
  } catch (...) {
    end();
    throw;
  }
  CHECK(memory.outstanding() == 0, "what is recorded gives back all that it takes");
  end();
  return recorded;
}

}  // namespace lathe
