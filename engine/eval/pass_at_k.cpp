// C(n-c, k) / C(n, k) is the product of 1 - k / i over i = n - c + 1 .. n.
#include "engine/eval/pass_at_k.h"

#include "engine/base/check.h"

namespace lathe {

double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k) {
  CHECK(c >= 0 && c <= n && k >= 1 && k <= n, "pass@k: counts out of range");
  if (n - c < k) {
    return 1.0;
  }
  double none = 1.0;
  for (std::int64_t i = n - c + 1; i <= n; ++i) {
    none *= 1.0 - static_cast<double>(k) / static_cast<double>(i);
  }
  return 1.0 - none;
}

}  // namespace lathe
