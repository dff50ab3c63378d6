// The reference's table and its memory: one aligned block per tensor, so that a memory checker sees
// every access beyond an end.
#include "engine/backend/cpu_ref/cpu_ref_backend.h"

#include <cstdlib>
#include <cstring>

#include "engine/backend/host.h"

namespace lathe {
namespace {

class AlignedMemory final : public MemorySource {
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

class CpuRefBackend final : public Backend {
 public:
  using Backend::Backend;
  void write(TensorRef to, const void* from, std::int64_t bytes) override {
    CHECK(bytes <= to.bytes(), "a write ends within the tensor");
    std::memcpy(to.data, from, static_cast<std::size_t>(bytes));
  }
  void read(TensorRef from, void* to, std::int64_t bytes) override {
    CHECK(bytes <= from.bytes(), "a read ends within the tensor");
    std::memcpy(to, from.data, static_cast<std::size_t>(bytes));
  }
};

constexpr OpTable kTable{
#define OP(name, Args) .name = cpu_ref::name,
#include "engine/ops/op_list.inl"
#undef OP
};

}  // namespace

std::unique_ptr<Backend> make_cpu_ref_backend() {
  return std::make_unique<CpuRefBackend>(
      BackendInfo{.name = "cpu_ref", .device = describe_cpu(1), .parallelism = 1}, kTable,
      std::make_unique<AlignedMemory>());
}

}  // namespace lathe
