// The front of every op: check, count, call; and the list of back ends.
#include "engine/backend/backend.h"

#include <charconv>
#include <numeric>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/backend/cuda/cuda_devices.h"
#include "engine/backend/host.h"
#include "engine/backend/meta/meta_backend.h"

namespace lathe {
namespace {

enum OpIndex : std::size_t {
#define OP(name, Args) kIndexOf_##name,
#include "engine/ops/op_list.inl"
#undef OP
};

void count(OpCounters& counters, OpIndex op, const OpCost& cost) {
  ++counters.calls[op];
  counters.flops[op] += cost.flops;
  counters.total_bytes += cost.bytes;
}

}  // namespace

double OpCounters::total_flops() const {
  return std::accumulate(flops.begin(), flops.end(), 0.0);
}

std::unique_ptr<RecordedOps> Backend::record(const std::function<void()>&) {
  CHECK(records(), info().name + " records no ops");
  return nullptr;
}

namespace ops {
#define OP(op, Args)                                                           \
  void op(Backend& backend, const Args& args) {                                \
    CHECK(backend.table().op != nullptr, backend.info().name + " lacks " #op); \
    validate(args);                                                            \
    count(backend.counters(), kIndexOf_##op, cost(args));                      \
    backend.table().op(backend, args);                                         \
  }
#include "engine/ops/op_list.inl"
#undef OP
}  // namespace ops

std::optional<int> cuda_index(std::string_view device) {
  if (device == "cuda") {
    return 0;
  }
  constexpr std::string_view kPrefix = "cuda:";
  if (!device.starts_with(kPrefix)) {
    return std::nullopt;
  }
  device.remove_prefix(kPrefix.size());
  int index = 0;
  const auto [end, failed] = std::from_chars(device.data(), device.data() + device.size(), index);
  const bool whole = failed == std::errc() && end == device.data() + device.size() && index >= 0;
  return whole ? std::optional(index) : std::nullopt;
}

Result<std::unique_ptr<Backend>> make_backend(const std::string& device, int threads,
                                              ProductPrecision products) {
  if (threads < 0) {
    return Error{ErrorKind::kUsage, "threads=" + std::to_string(threads) + " is negative",
                 "give 0 for all cores, or a number of threads"};
  }
  if (const std::optional<int> index = cuda_index(device)) {
    return make_cuda_backend(*index, products);
  }
  const int all = threads > 0 ? threads : default_threads();
  std::unique_ptr<Backend> backend = device == "cpu"       ? make_cpu_backend(all)
                                     : device == "cpu_ref" ? make_cpu_ref_backend()
                                     : device == "meta"    ? make_meta_backend({.parallelism = all})
                                                           : nullptr;
  if (backend == nullptr) {
    return Error{ErrorKind::kDevice, "device \"" + device + "\" is not known",
                 "choose one of cpu, cpu_ref, cuda, cuda:N"};
  }
  if (products != ProductPrecision::kF32) {
    return Error{ErrorKind::kUsage,
                 "products=" + std::string(enum_name(products)) + " is not computed on " + device,
                 "set products=f32, or choose a CUDA device"};
  }
  return backend;
}

}  // namespace lathe
