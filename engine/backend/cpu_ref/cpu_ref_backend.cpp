// The reference's table.
#include "engine/backend/cpu_ref/cpu_ref_backend.h"

#include <cstring>

#include "engine/backend/host.h"
#include "engine/backend/system_memory.h"

namespace lathe {
namespace {

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
      std::make_unique<SystemMemory>());
}

}  // namespace lathe
