// See fused_products.h.
#include "engine/backend/cuda/fused_products.h"

#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/cuda_check.h"
#include "engine/base/check.h"

namespace lathe::cuda {
namespace {

// What addresses are told to the library as: their own would let the pool's places decide which
// algorithm computes.
constexpr std::uint32_t kWideAlignment = 16;

std::uint32_t alignment_of(const GemmCall& call) {
  if (aligned_to(kWideAlignment, {call.a, call.b, call.c, call.bias, call.a_sums})) {
    return kWideAlignment;
  }
  return static_cast<std::uint32_t>(call.factors == DType::kBf16 ? 2 : sizeof(float));
}

// Of a factor whose op() has that height and width, which lies in rows: to the library, which
// counts columns first, it is the transpose.
cublasLtMatrixLayoutOpaque_t* make_layout(cudaDataType_t type, std::int64_t width,
                                          std::int64_t height, bool transposed,
                                          std::int64_t leading) {
  cublasLtMatrixLayout_t layout = nullptr;
  CUDA_CHECK(cublas()->lt.create_layout(
      &layout, type, static_cast<std::uint64_t>(transposed ? height : width),
      static_cast<std::uint64_t>(transposed ? width : height), leading));
  return layout;
}

template <typename Value>
void set(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute,
         const Value& value) {
  CUDA_CHECK(cublas()->lt.set_product(product, attribute, &value, sizeof value));
}

template <typename Value>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const Value& value) {
  CUDA_CHECK(cublas()->lt.set_preference(preference, attribute, &value, sizeof value));
}

}  // namespace

// Failures are not told: there is nothing left to free.
void LtDelete::operator()(cublasLtMatmulDescOpaque_t* product) const {
  cublas()->lt.destroy_product(product);
}

void LtDelete::operator()(cublasLtMatrixLayoutOpaque_t* layout) const {
  cublas()->lt.destroy_layout(layout);
}

void LtDelete::operator()(cublasLtMatmulPreferenceOpaque_t* preference) const {
  cublas()->lt.destroy_preference(preference);
}

// A handle of cuBLAS is one of cuBLASLt (its documentation, cublasLtHandle_t).
FusedProducts::FusedProducts(cublasHandle_t handle, cudaStream_t stream, void* workspace,
                             std::int64_t workspace_bytes)
    : handle_(reinterpret_cast<cublasLtHandle_t>(handle)),
      stream_(stream),
      workspace_(workspace),
      workspace_bytes_(static_cast<std::size_t>(workspace_bytes)) {}

FusedProducts::Plan FusedProducts::make_plan(const GemmCall& call, cublasComputeType_t compute,
                                             std::uint32_t alignment) const {
  const CublasLt& lt = cublas()->lt;
  const cudaDataType_t type = call.factors == DType::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
  Plan plan;
  cublasLtMatmulDesc_t product = nullptr;
  CUDA_CHECK(lt.create_product(&product, compute, CUDA_R_32F));
  plan.product.reset(product);
  const auto operation = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(product, CUBLASLT_MATMUL_DESC_TRANSA, operation(call.transpose_b));
  set(product, CUBLASLT_MATMUL_DESC_TRANSB, operation(call.transpose_a));
  set(product, CUBLASLT_MATMUL_DESC_EPILOGUE,
      call.bias != nullptr ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_BGRADB);
  plan.a.reset(make_layout(type, call.n, call.k, call.transpose_b, call.ldb));
  plan.b.reset(make_layout(type, call.k, call.m, call.transpose_a, call.lda));
  plan.c.reset(make_layout(CUDA_R_32F, call.n, call.m, false, call.ldc));

  cublasLtMatmulPreference_t made = nullptr;
  CUDA_CHECK(lt.create_preference(&made));
  const std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, LtDelete> preference(made);
  set(made, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes_);
  for (const auto attribute :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
    set(made, attribute, alignment);
  }
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t asked = lt.heuristic(handle_, product, plan.a.get(), plan.b.get(),
                                            plan.c.get(), plan.c.get(), made, 1, &best, &found);
  if (asked != CUBLAS_STATUS_NOT_SUPPORTED) {
    CUDA_CHECK(asked);
    plan.possible = found > 0 && best.state == CUBLAS_STATUS_SUCCESS;
    plan.algorithm = best.algo;
  }
  return plan;
}

bool FusedProducts::multiply(const GemmCall& call, cublasComputeType_t compute) {
  CHECK((call.bias != nullptr) != (call.a_sums != nullptr), "a product has one epilogue");
  CHECK(call.a_sums == nullptr || call.beta == 0.0f, "sums are not added to");
  const std::uint32_t alignment = alignment_of(call);
  const Key key{call.m,
                call.n,
                call.k,
                call.lda,
                call.ldb,
                call.ldc,
                call.transpose_a ? 1 : 0,
                call.transpose_b ? 1 : 0,
                call.bias != nullptr ? 1 : 0,
                call.beta == 0.0f ? 0 : 1,
                static_cast<std::int64_t>(call.factors),
                static_cast<std::int64_t>(compute),
                alignment};
  auto known = plans_.find(key);
  if (known == plans_.end()) {
    known = plans_.emplace(key, make_plan(call, compute, alignment)).first;
  }
  const Plan& plan = known->second;
  if (!plan.possible) {
    return false;
  }
  const void* const vector = call.bias != nullptr ? call.bias : call.a_sums;
  set(plan.product.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, vector);
  CUDA_CHECK(cublas()->lt.matmul(handle_, plan.product.get(), &call.alpha, call.b, plan.a.get(),
                                 call.a, plan.b.get(), &call.beta, call.c, plan.c.get(), call.c,
                                 plan.c.get(), &plan.algorithm, workspace_, workspace_bytes_,
                                 stream_));
  return true;
}

}  // namespace lathe::cuda
