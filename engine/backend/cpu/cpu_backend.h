// The fast back end of this machine's processor: oneDNN for matrix products, own vectorised kernels
// under OpenMP for the rest. Work is split so that results do not depend on the number of threads,
// save for matrix products, whose bits are fixed for a given number.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/simd/kernels.h"

namespace lathe {

std::unique_ptr<Backend> make_cpu_backend(int threads);

namespace cpu {

// "2.6.3"
std::string matmul_library_version();

// Cosines and sines of rotary embedding, [positions][head_dim / 2], from position 0 on.
struct RotaryTable {
  float theta = 0;
  RopeScaling scaling = {};
  std::int64_t head_dim = 0;
  std::int64_t positions = 0;
  std::vector<float> cosines;
  std::vector<float> sines;
};

// What the kernels keep between calls. The scratch is small (see rmsnorm.cpp) and no tensor, so
// the ledger does not see it.
class CpuBackend final : public Backend {
 public:
  using Backend::Backend;
  void write(TensorRef to, const void* from, std::int64_t bytes) override;
  void read(TensorRef from, void* to, std::int64_t bytes) override;

  std::vector<float>& float_scratch() { return float_scratch_; }
  std::vector<double>& double_scratch() { return double_scratch_; }
  RotaryTable& rotary_table() { return rotary_table_; }

 private:
  std::vector<float> float_scratch_;
  std::vector<double> double_scratch_;
  RotaryTable rotary_table_;
};

// The table holds only entries that are called with a CpuBackend.
inline CpuBackend& self(Backend& backend) {
  return static_cast<CpuBackend&>(backend);
}

#define OP(name, Args) void name(Backend& backend, const Args& args);
#include "engine/ops/op_list.inl"
#undef OP

}  // namespace cpu
}  // namespace lathe
