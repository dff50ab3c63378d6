// The libraries by their names, as the system finds them, else where the toolkit was at the build.
#include "engine/backend/cuda/cublas.h"

#include <dlfcn.h>
#include <fmt/core.h>

namespace lathe::cuda {
namespace {

// Functions of a library by their names. Its major version follows the toolkit's: what was compiled
// against is what can be loaded.
class Library {
 public:
  explicit Library(const char* stem) : name_(fmt::format("{}.so.{}", stem, CUBLAS_VER_MAJOR)) {
    handle_ = dlopen(name_.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
      handle_ =
          dlopen((std::string(LATHE_CUDA_LIBRARIES "/") + name_).c_str(), RTLD_NOW | RTLD_LOCAL);
    }
  }
  template <typename Function>
  Library& find(const char* function_name, Function& function) {
    void* const found = handle_ == nullptr ? nullptr : dlsym(handle_, function_name);
    function = reinterpret_cast<Function>(found);
    missing_ = found == nullptr ? function_name : missing_;
    return *this;
  }
  // What is wrong with it; empty if nothing is.
  std::string problem() const {
    if (handle_ == nullptr) {
      return fmt::format("{} is neither where the system looks for libraries nor in {}", name_,
                         LATHE_CUDA_LIBRARIES);
    }
    return missing_.empty() ? "" : fmt::format("{} has no {}", name_, missing_);
  }

 private:
  std::string name_;
  void* handle_ = nullptr;
  std::string missing_;
};

Result<Cublas> load() {
  Cublas found;
  Library plain("libcublas");
  plain.find("cublasCreate_v2", found.create)
      .find("cublasDestroy_v2", found.destroy)
      .find("cublasSetStream_v2", found.set_stream)
      .find("cublasSetWorkspace_v2", found.set_workspace)
      .find("cublasGemmEx_64", found.gemm)
      .find("cublasGetProperty", found.property)
      .find("cublasGetStatusString", found.status_text);
  Library light("libcublasLt");
  light.find("cublasLtMatmul", found.lt.matmul)
      .find("cublasLtMatmulAlgoGetHeuristic", found.lt.heuristic)
      .find("cublasLtMatmulDescCreate", found.lt.create_product)
      .find("cublasLtMatmulDescDestroy", found.lt.destroy_product)
      .find("cublasLtMatmulDescSetAttribute", found.lt.set_product)
      .find("cublasLtMatrixLayoutCreate", found.lt.create_layout)
      .find("cublasLtMatrixLayoutDestroy", found.lt.destroy_layout)
      .find("cublasLtMatmulPreferenceCreate", found.lt.create_preference)
      .find("cublasLtMatmulPreferenceDestroy", found.lt.destroy_preference)
      .find("cublasLtMatmulPreferenceSetAttribute", found.lt.set_preference);
  for (const Library* library : {&plain, &light}) {
    if (const std::string problem = library->problem(); !problem.empty()) {
      return Error{ErrorKind::kDevice, problem,
                   "install cuBLAS of the CUDA toolkit (Debian and pip have it), or put "
                   "its folder into LD_LIBRARY_PATH"};
    }
  }
  return found;
}

}  // namespace

const Result<Cublas>& cublas() {
  static const Result<Cublas> loaded = load();
  return loaded;
}

std::string cublas_version() {
  if (!cublas()) {
    return cublas().error().message;
  }
  int major = 0;
  int minor = 0;
  int patch = 0;
  cublas()->property(MAJOR_VERSION, &major);
  cublas()->property(MINOR_VERSION, &minor);
  cublas()->property(PATCH_LEVEL, &patch);
  return fmt::format("{}.{}.{}", major, minor, patch);
}

}  // namespace lathe::cuda
