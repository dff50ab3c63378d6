// The arguments of the norms, as in op_args.h.
#pragma once

#include "engine/tensor/tensor.h"

namespace lathe {

// RMSNorm (Zhang & Sennrich 2019, eq. 4): y = x * rstd * gain, rstd = 1/sqrt(mean(x^2) + eps).
// x, y: [N, D]; gain: [D]; rstd: [N], written if defined.
struct RmsnormForwardArgs {
  TensorRef x, gain, y, rstd;
  float eps = 1e-5f;
};

// dx = gradient with respect to x (+ dx_add where defined, which may alias dx); dgain: [D],
// accumulated. rstd as forward wrote it.
struct RmsnormBackwardArgs {
  TensorRef dy, x, gain, rstd, dx, dgain, dx_add;
};

// Layer norm (Ba et al. 2016): y = (x - mean) * rstd * gain + bias, rstd = 1/sqrt(variance + eps).
// x, y: [N, D]; gain: [D]; bias: [D] or undefined (none); mean, rstd: [N], written if defined.
struct LayernormForwardArgs {
  TensorRef x, gain, bias, y, mean, rstd;
  float eps = 1e-5f;
};

// As RmsnormBackwardArgs; dbias: [D], accumulated if defined. mean and rstd as forward wrote them.
struct LayernormBackwardArgs {
  TensorRef dy, x, gain, mean, rstd, dx, dgain, dbias, dx_add;
};

}  // namespace lathe
