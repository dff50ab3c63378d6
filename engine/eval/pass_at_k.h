// The unbiased estimator of pass@k (Chen et al. 2021, "Evaluating large language models trained on
// code", equation 1): the chance that of k samples drawn from n without return, c of them correct,
// at least one is correct.
#pragma once

#include <cstdint>

namespace lathe {

// 1 - C(n-c, k) / C(n, k), as a product that does not overflow; 1 where n - c < k. Preconditions:
// 0 <= c <= n, 1 <= k <= n.
double pass_at_k(std::int64_t n, std::int64_t c, std::int64_t k);

}  // namespace lathe
