// The library by its name, as the system finds it, else where the toolkit was at the build.
#include "engine/backend/cuda/cublas.h"

#include <dlfcn.h>
#include <fmt/core.h>

namespace lathe::cuda {
namespace {

// Its major version follows the toolkit's: what was compiled against is what can be loaded.
std::string file_name() {
  return fmt::format("libcublas.so.{}", CUBLAS_VER_MAJOR);
}

template <typename Function>
void find(void* library, const char* name, Function& function, std::string& missing) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  missing = function == nullptr ? name : missing;
}

Result<Cublas> load() {
  const std::string name = file_name();
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    library = dlopen((std::string(LATHE_CUDA_LIBRARIES "/") + name).c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  const std::string remedy =
      "install cuBLAS of the CUDA toolkit (Debian and pip have it), or put "
      "its folder into LD_LIBRARY_PATH";
  if (library == nullptr) {
    return Error{ErrorKind::kDevice,
                 fmt::format("{} is neither where the system looks for libraries nor in {}", name,
                             LATHE_CUDA_LIBRARIES),
                 remedy};
  }
  Cublas found;
  std::string missing;
  find(library, "cublasCreate_v2", found.create, missing);
  find(library, "cublasDestroy_v2", found.destroy, missing);
  find(library, "cublasSetStream_v2", found.set_stream, missing);
  find(library, "cublasSetWorkspace_v2", found.set_workspace, missing);
  find(library, "cublasGemmEx_64", found.gemm, missing);
  find(library, "cublasGetProperty", found.property, missing);
  find(library, "cublasGetStatusString", found.status_text, missing);
  if (!missing.empty()) {
    return Error{ErrorKind::kDevice, fmt::format("{} has no {}", name, missing), remedy};
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
