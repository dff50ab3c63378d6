// The arguments of the loss against a teacher, as in op_args.h.
#pragma once

#include "engine/tensor/tensor.h"

namespace lathe {

// Cross-entropy mixed with the distance from a teacher's distribution (Hinton et al. 2015), of one
// chunk of rows, in place: a row's loss is
//   (1 - weight) CE(logits, target) + weight T^2 KL(softmax(teacher / T) || softmax(logits / T)),
// and logits [n, V] become their gradient times scale (grad_scale, or scale_at where defined),
//   (1 - weight) (softmax(logits) - onehot) + weight T (softmax(logits / T) - softmax(teacher /
//   T)).
// teacher: [n, V]. targets, sums and ignored rows as CrossEntropyArgs has them; the loss that is
// summed is the mixed one.
struct DistillLossArgs {
  TensorRef logits, teacher, targets, sums;
  float weight = 0.5f;       // 0 .. 1
  float temperature = 1.0f;  // T > 0
  float grad_scale = 1.0f;
  TensorRef scale_at = {};
};

}  // namespace lathe
