// cuBLAS and cuBLASLt, which it is built on, loaded when a device is first used: linked, it would
// cost every start of the program a sixth of a second, and the program would not start where it is
// not installed.
#pragma once

#include <cublasLt.h>
#include <cublas_v2.h>

#include "engine/base/result.h"

namespace lathe::cuda {

// The functions of the libraries that are used, by their names in them.
struct CublasLt {
  decltype(&cublasLtMatmul) matmul = nullptr;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic = nullptr;
  decltype(&cublasLtMatmulDescCreate) create_product = nullptr;
  decltype(&cublasLtMatmulDescDestroy) destroy_product = nullptr;
  decltype(&cublasLtMatmulDescSetAttribute) set_product = nullptr;
  decltype(&cublasLtMatrixLayoutCreate) create_layout = nullptr;
  decltype(&cublasLtMatrixLayoutDestroy) destroy_layout = nullptr;
  decltype(&cublasLtMatmulPreferenceCreate) create_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceDestroy) destroy_preference = nullptr;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference = nullptr;
};
struct Cublas {
  decltype(&cublasCreate_v2) create = nullptr;
  decltype(&cublasDestroy_v2) destroy = nullptr;
  decltype(&cublasSetStream_v2) set_stream = nullptr;
  decltype(&cublasSetWorkspace_v2) set_workspace = nullptr;
  decltype(&cublasGemmEx_64) gemm = nullptr;
  decltype(&cublasGetProperty) property = nullptr;
  decltype(&cublasGetStatusString) status_text = nullptr;
  CublasLt lt;
};

// Loads them once; they stay. kDevice, naming the file and where it was looked for.
const Result<Cublas>& cublas();

// "13.0.2", or why there is none.
std::string cublas_version();

}  // namespace lathe::cuda
