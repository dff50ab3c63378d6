// The front of every op: check, count, call; and the list of back ends.
#include "engine/backend/backend.h"

#include <numeric>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu_ref/cpu_ref_backend.h"
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

Result<std::unique_ptr<Backend>> make_backend(const std::string& device, int threads) {
  if (threads < 0) {
    return Error{ErrorKind::kUsage, "threads=" + std::to_string(threads) + " is negative",
                 "give 0 for all cores, or a number of threads"};
  }
  if (device == "cpu") {
    return make_cpu_backend(threads > 0 ? threads : default_threads());
  }
  if (device == "cpu_ref") {
    return make_cpu_ref_backend();
  }
  if (device == "meta") {
    return make_meta_backend(threads > 0 ? threads : default_threads());
  }
  return Error{ErrorKind::kDevice, "device \"" + device + "\" is not known to this build",
               "choose one of cpu, cpu_ref, meta"};
}

}  // namespace lathe
