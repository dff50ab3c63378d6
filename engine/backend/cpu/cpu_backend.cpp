// The table of the cpu back end.
#include "engine/backend/cpu/cpu_backend.h"

#include <cstring>

#include "engine/backend/cpu/host_range.h"
#include "engine/backend/cpu/simd/kernels.h"
#include "engine/backend/host.h"

namespace lathe {
namespace {

constexpr OpTable kTable{
#define OP(name, Args) .name = cpu::name,
#include "engine/ops/op_list.inl"
#undef OP
};

}  // namespace

namespace cpu {

void CpuBackend::write(TensorRef to, const void* from, std::int64_t bytes) {
  CHECK(bytes <= to.bytes(), "a write ends within the tensor");
  std::memcpy(to.data, from, static_cast<std::size_t>(bytes));
}

void CpuBackend::read(TensorRef from, void* to, std::int64_t bytes) {
  CHECK(bytes <= from.bytes(), "a read ends within the tensor");
  std::memcpy(to, from.data, static_cast<std::size_t>(bytes));
}

}  // namespace cpu

std::unique_ptr<Backend> make_cpu_backend(int threads) {
  return std::make_unique<cpu::CpuBackend>(
      BackendInfo{.name = "cpu",
                  .device = describe_cpu(threads),
                  .parallelism = threads,
                  .kernels = std::string(cpu::kernels().name) + " kernels, oneDNN " +
                             cpu::matmul_library_version()},
      kTable, std::make_unique<Pool>(std::make_unique<HostRange>()));
}

}  // namespace lathe
