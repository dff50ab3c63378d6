// Parts that points and weights are cut into whatever the number of threads, and the sums of each.
#pragma once

#include <algorithm>
#include <cstdint>

#include "engine/ops/palette_args.h"

namespace lathe::cpu {

struct Share {
  std::int64_t first, end;
};
inline Share share_of(std::int64_t number, std::int64_t shares, std::int64_t elements) {
  return {number * elements / shares, (number + 1) * elements / shares};
}

// Sums of kPointShares parts, `width` of each, in a workspace that has room for them.
class ShareSums {
 public:
  ShareSums(const TensorRef& workspace, std::int64_t width)
      : sums_(workspace.f64()), width_(width) {
    std::fill_n(sums_, kPointShares * width, 0.0);
  }
  double* of(std::int64_t number) { return sums_ + number * width_; }
  double total(std::int64_t i) const {
    double sum = 0.0;
    for (std::int64_t number = 0; number < kPointShares; ++number) {
      sum += sums_[number * width_ + i];
    }
    return sum;
  }

 private:
  double* sums_;
  std::int64_t width_;
};

}  // namespace lathe::cpu
