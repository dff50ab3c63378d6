// A back end: an op table, an allocator with its ledger, and counters of what was asked of it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "engine/base/result.h"
#include "engine/ops/op_table.h"
#include "engine/tensor/allocator.h"

namespace lathe {

// What the engine asked of the ops since the last reset.
struct OpCounters {
  std::array<std::int64_t, kOpCount> calls{};
  std::array<double, kOpCount> flops{};
  double total_flops() const;
  double total_bytes = 0;
};

struct BackendInfo {
  std::string name;     // "cpu_ref", "cpu", "meta", later "cuda"
  std::string device;   // "AMD EPYC, 2 threads"
  int parallelism = 1;  // threads; on meta those of the machine it stands for
  // What computes, where that decides bits: "avx512 kernels, oneDNN 2.6.3". Kept with every run.
  std::string kernels = "";
};

// One engine thread uses a back end at a time.
class Backend {
 public:
  Backend(BackendInfo info, const OpTable& table, std::unique_ptr<MemorySource> memory)
      : info_(std::move(info)), table_(&table), allocator_(std::move(memory)) {}
  virtual ~Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  const BackendInfo& info() const { return info_; }
  int parallelism() const { return info_.parallelism; }
  const OpTable& table() const { return *table_; }
  Allocator& allocator() { return allocator_; }
  Ledger& ledger() { return allocator_.ledger(); }
  OpCounters& counters() { return counters_; }
  // False on meta: no values exist, and whoever reads one gets zeros.
  virtual bool computes() const { return true; }

  // Host to device and back; `bytes` counts from the start of the tensor. No-ops on meta (read
  // gives zeros).
  virtual void write(TensorRef to, const void* from, std::int64_t bytes) = 0;
  virtual void read(TensorRef from, void* to, std::int64_t bytes) = 0;
  // Waits until all ops issued so far are done.
  virtual void synchronize() {}

 private:
  BackendInfo info_;
  const OpTable* table_;
  Allocator allocator_;
  OpCounters counters_;
};

// The ops as functions: checks shapes, counts, calls the table's entry. Calling an op that the back
// end lacks is our bug (CHECK); whoever must know asks the table first.
namespace ops {
#define OP(name, Args) void name(Backend& backend, const Args& args);
#include "engine/ops/op_list.inl"
#undef OP
}  // namespace ops

// "cpu", "cpu_ref" or "meta"; threads 0 means all (OMP_NUM_THREADS is honoured). kDevice error for
// a device that is not there, with those that are.
Result<std::unique_ptr<Backend>> make_backend(const std::string& device, int threads);

}  // namespace lathe
