// A back end: an op table, an allocator with its ledger, and counters of what was asked of it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "engine/backend/product_precision.h"
#include "engine/base/result.h"
#include "engine/ops/op_table.h"
#include "engine/tensor/allocator.h"

namespace lathe {

// What of a machine decides the memory that a step needs.
struct MachineShape {
  int parallelism = 1;            // as BackendInfo's
  std::int64_t held_bytes = 0;    // as BackendInfo's
  bool reads_host_memory = true;  // as Backend's
};

// What the engine asked of the ops since the last reset.
struct OpCounters {
  std::array<std::int64_t, kOpCount> calls{};
  std::array<double, kOpCount> flops{};
  double total_flops() const;
  double total_bytes = 0;
};

struct BackendInfo {
  std::string name;     // "cpu_ref", "cpu", "meta", "cuda"
  std::string device;   // "AMD EPYC, 2 threads"
  int parallelism = 1;  // threads, or multiprocessors; on meta those of what it stands for
  // What computes, where that decides bits: "avx512 kernels, oneDNN 2.6.3". Kept with every run.
  std::string kernels = "";
  // Of the factors of products on devices that have a choice.
  ProductPrecision products = ProductPrecision::kF32;
  // Bytes that it holds as long as it lives, beside all tensors: part of every peak.
  std::int64_t held_bytes = 0;
};

// Ops that were recorded, with the memory and the arguments they were given, to be issued again as
// a whole. The back end outlives them.
class RecordedOps {
 public:
  RecordedOps() = default;
  virtual ~RecordedOps() = default;
  RecordedOps(const RecordedOps&) = delete;
  RecordedOps& operator=(const RecordedOps&) = delete;
  // False while memory that they take and give back on their way is a tensor's.
  virtual bool valid() const = 0;
  // Precondition: valid().
  virtual void issue() = 0;
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
  MachineShape machine() const {
    return {info_.parallelism, info_.held_bytes, reads_host_memory()};
  }
  const OpTable& table() const { return *table_; }
  Allocator& allocator() { return allocator_; }
  Ledger& ledger() { return allocator_.ledger(); }
  OpCounters& counters() { return counters_; }
  // False on meta: no values exist, and whoever reads one gets zeros.
  virtual bool computes() const { return true; }
  // False where ops see the memory of a device alone, and tensors cannot lie in a mapped file.
  virtual bool reads_host_memory() const { return true; }

  // Host to device and back; `bytes` counts from the start of the tensor. No-ops on meta (read
  // gives zeros).
  virtual void write(TensorRef to, const void* from, std::int64_t bytes) = 0;
  virtual void read(TensorRef from, void* to, std::int64_t bytes) = 0;
  // write() beside the ops that are issued next, where a device copies while it computes: it begins
  // when those issued so far are done, and only those issued after join_writes() may use what it
  // writes. Returns when the bytes have been read.
  virtual void write_beside(TensorRef to, const void* from, std::int64_t bytes) {
    write(to, from, bytes);
  }
  virtual void join_writes() {}
  // Whether record() may be called.
  virtual bool records() const { return false; }
  // The ops and write()s of `work`, which are not done now but each time they are issued: what
  // changes in between has to lie in tensors. `work` gives back all memory that it takes, neither
  // reads nor synchronizes, and has been done before, so that nothing is made for the first time.
  // Throws what `work` throws.
  virtual std::unique_ptr<RecordedOps> record(const std::function<void()>& work);
  // Waits until all ops issued so far are done.
  virtual void synchronize() {}
  // Bytes of the device in use by all programs; nothing where it is the machine's own memory.
  virtual std::optional<std::int64_t> device_used_bytes() { return std::nullopt; }

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

// N of "cuda:N", 0 of "cuda"; nothing for another device.
std::optional<int> cuda_index(std::string_view device);

// "cpu", "cpu_ref", "meta", "cuda" or "cuda:N"; threads 0 means all (OMP_NUM_THREADS is honoured;
// devices do not ask). kDevice error for a device that is not there, with those that are, kUsage
// where it does not compute products in that precision.
Result<std::unique_ptr<Backend>> make_backend(const std::string& device, int threads,
                                              ProductPrecision products = ProductPrecision::kF32);

}  // namespace lathe
