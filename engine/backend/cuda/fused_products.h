// Products with an epilogue, by cuBLASLt: a bias on the way out, or the sums of a factor on the way
// in, saves a pass over memory each. Which algorithm computes a product hangs on its shape alone
// and is asked for once, so that a run repeats itself to the bit.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "engine/backend/cuda/cublas.h"
#include "engine/backend/cuda/gpu_backend.h"

namespace lathe::cuda {

struct LtDelete {
  void operator()(cublasLtMatmulDescOpaque_t* product) const;
  void operator()(cublasLtMatrixLayoutOpaque_t* layout) const;
  void operator()(cublasLtMatmulPreferenceOpaque_t* preference) const;
};

class FusedProducts {
 public:
  // The handle's stream and workspace are those of all its products, which follow one another.
  FusedProducts(cublasHandle_t handle, cudaStream_t stream, void* workspace,
                std::int64_t workspace_bytes);

  // As GpuBackend::fused_gemm(). Throws DeviceError.
  bool multiply(const GemmCall& call, cublasComputeType_t compute);

 private:
  using Layout = std::unique_ptr<cublasLtMatrixLayoutOpaque_t, LtDelete>;
  struct Plan {
    std::unique_ptr<cublasLtMatmulDescOpaque_t, LtDelete> product;
    Layout a, b, c;  // in the library's order: its a is our b
    cublasLtMatmulAlgo_t algorithm{};
    bool possible = false;
  };
  using Key = std::array<std::int64_t, 13>;

  Plan make_plan(const GemmCall& call, cublasComputeType_t compute, std::uint32_t alignment) const;

  cublasLtHandle_t handle_;
  cudaStream_t stream_;
  void* workspace_;
  std::size_t workspace_bytes_;
  std::map<Key, Plan> plans_;
};

}  // namespace lathe::cuda
