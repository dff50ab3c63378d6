// A linear layer's weight as it is to be stored in few bits, and what that costs; rounding to the
// nearest level.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/methods/lord/linear_algebra.h"
#include "engine/quant/stored_type.h"

namespace lathe {

struct RoundedWeight {
  std::vector<std::byte> stored;  // matrix_bytes() of the type
  // E||(W - W') x||^2 and E||W x||^2 per row of x.
  double error = 0;
  double energy = 0;
  std::int64_t outliers = 0;  // kept beside the levels (SpQR)
};

// Sets error and energy of what is stored. `moment` may be empty: they are then of inputs that are
// white.
void measure(StoredType type, std::span<const float> weight, std::int64_t out, std::int64_t in,
             const Matrix& moment, RoundedWeight& rounded);

// Each value to its nearest level (encode_matrix()). Precondition: can_encode_matrix(),
// fits_type().
RoundedWeight round_nearest(StoredType type, std::span<const float> weight, std::int64_t out,
                            std::int64_t in, const Matrix& moment);

}  // namespace lathe
