// Ops on the columns of a matrix that is any tensor of rows: a factor for each, and sums.
#pragma once

#include "engine/tensor/tensor.h"

namespace lathe {

// y = gain x + shift in each row. x, y: [N, D], y may be x; gain: [D]; shift: [D], or undefined: 0.
struct ColumnScaleArgs {
  TensorRef x, gain, shift, y;
};

// sums[d] += the sum over rows of a[n, d] b[n, d], in an order that does not depend on threads.
// a, b: [N, D]; sums: [D].
struct ColumnDotArgs {
  TensorRef a, b, sums;
};

}  // namespace lathe
