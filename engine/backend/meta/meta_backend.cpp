// Ops that do nothing, memory that does not exist.
#include "engine/backend/meta/meta_backend.h"

#include <cstring>

#include "engine/backend/host.h"

namespace lathe {
namespace {

class NoMemory final : public MemorySource {
 public:
  void* take(std::int64_t) override { return nullptr; }
  void give_back(void*, std::int64_t) noexcept override {}
  bool holds_memory() const override { return false; }
  std::int64_t pool_bytes() const override { return 0; }
};

class MetaBackend final : public Backend {
 public:
  MetaBackend(BackendInfo info, const OpTable& table, bool reads_host_memory)
      : Backend(std::move(info), table, std::make_unique<NoMemory>()),
        reads_host_memory_(reads_host_memory) {
    if (this->info().held_bytes > 0) {
      const Tag tag{.category = Category::kWorkspace, .layer = "device", .name = "held"};
      held_ = allocator().allocate(this->info().held_bytes, tag);
    }
  }
  bool computes() const override { return false; }
  bool reads_host_memory() const override { return reads_host_memory_; }
  void write(TensorRef, const void*, std::int64_t) override {}
  void read(TensorRef, void* to, std::int64_t bytes) override {
    std::memset(to, 0, static_cast<std::size_t>(bytes));
  }

 private:
  bool reads_host_memory_;
  Buffer held_;
};

template <typename Args>
void skip(Backend&, const Args&) {}

constexpr OpTable kTable{
#define OP(name, Args) .name = skip<Args>,
#include "engine/ops/op_list.inl"
#undef OP
};

}  // namespace

std::unique_ptr<Backend> make_meta_backend(const MachineShape& machine) {
  return std::make_unique<MetaBackend>(BackendInfo{.name = "meta",
                                                   .device = describe_cpu(machine.parallelism),
                                                   .parallelism = machine.parallelism,
                                                   .held_bytes = machine.held_bytes},
                                       kTable, machine.reads_host_memory);
}

}  // namespace lathe
