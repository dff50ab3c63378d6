// Chooses the copy of the kernels; LATHE_MAX_ISA=avx2 or generic in the environment asks for a
// lesser one (to test it, or to compare machines).
#include <cstdlib>
#include <string_view>

#include "engine/backend/cpu/simd/kernels.h"

namespace lathe::cpu {

namespace generic {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}

namespace {

const Kernels& choose() {
  const char* asked = std::getenv("LATHE_MAX_ISA");
  const std::string_view most = asked == nullptr ? "avx512" : asked;
  __builtin_cpu_init();
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (most == "generic" || !has_avx2) {
    return generic::kKernels;
  }
  return most == "avx2" || !has_avx512 ? avx2::kKernels : avx512::kKernels;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace lathe::cpu
