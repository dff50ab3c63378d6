// Cross-entropy mixed with the distance from a teacher, a block a row: the greatest logits first,
// then the sums of the exponentials, then the gradient. Logits are read three times and the
// teacher's as often; the second and third come from the L2 cache up to some 20,000 classes.
#pragma once

#include "engine/backend/cuda/device/cross_entropy.cuh"

namespace lathe::LATHE_GPU {

struct DistillRows {
  float* logits;
  const float* teacher;
  const int* targets;
  Index first, classes;
  float weight, temperature;
  const double* scale_at;  // or null
  float grad_scale;
};

// `kLanes` of the teacher's logits beside a pack of the row's own, wherever they lie.
template <int kLanes>
__device__ inline Pack<kLanes> load_beside(const float* from) {
  if (reinterpret_cast<unsigned long long>(from) % (kLanes * sizeof(float)) == 0) {
    return load_pack<kLanes>(from);
  }
  Pack<kLanes> pack{};
  for (int j = 0; j < kLanes; ++j) {
    pack.at[j] = from[j];
  }
  return pack;
}

// Of the row's own and the teacher's logits, less their greatest and divided by the temperature:
// sums of the exponentials, and of the teacher's times what it exceeds the row's own by.
struct DistillSums {
  float own = 0.0f;
  float taught = 0.0f;
  float distance = 0.0f;
};

// In every thread. `room` is shared memory for 32 floats.
__device__ inline DistillSums sum_distill_row(const float* row, const float* teacher, Index classes,
                                              float top, float teacher_top, float inverse,
                                              float* room) {
  DistillSums sums;
  for_each_logit(row, classes, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    const Pack<kLanes> x = load_pack<kLanes>(row + i);
    const Pack<kLanes> t = load_beside<kLanes>(teacher + i);
    for (int j = 0; j < kLanes; ++j) {
      const float own = (x.at[j] - top) * inverse;
      const float taught = (t.at[j] - teacher_top) * inverse;
      const float share = expf(taught);
      sums.own += expf(own);
      sums.taught += share;
      sums.distance += share * (taught - own);
    }
  });
  sums.own = reduce_block(sums.own, 0.0f, Sum(), room);
  sums.taught = reduce_block(sums.taught, 0.0f, Sum(), room);
  sums.distance = reduce_block(sums.distance, 0.0f, Sum(), room);
  return sums;
}

// scores[block] of the row first + block.
static __global__ void __launch_bounds__(1024)
    distill_rows_kernel(DistillRows rows, RowScore* scores) {
  const Index at = rows.first + blockIdx.x;
  float* const row = rows.logits + at * rows.classes;
  const float* const teacher = rows.teacher + at * rows.classes;
  const Index target = rows.targets[at];
  if (target < -1 || target >= rows.classes) {
    __trap();
  }
  if (target < 0) {
    for (Index i = threadIdx.x; i < rows.classes; i += blockDim.x) {
      row[i] = 0.0f;
    }
    if (threadIdx.x == 0) {
      scores[blockIdx.x] = {0.0, 0, 0};
    }
    return;
  }
  auto* const room = shared_memory<float>();
  const float inverse = 1.0f / rows.temperature;
  const LogitSum plain = sum_row(row, rows.classes, room);
  const float teacher_top = sum_row(teacher, rows.classes, room).top;
  const DistillSums sums =
      sum_distill_row(row, teacher, rows.classes, plain.top, teacher_top, inverse, room);
  const float at_target = row[target];
  __syncthreads();
  const float scale =
      rows.scale_at == nullptr ? rows.grad_scale : static_cast<float>(*rows.scale_at);
  const float hard = (1.0f - rows.weight) * scale;
  const float soft = rows.weight * rows.temperature * scale;
  if (threadIdx.x == 0) {
    const double entropy = log(static_cast<double>(plain.sum)) +
                           (static_cast<double>(plain.top) - static_cast<double>(at_target));
    const double distance =
        static_cast<double>(sums.distance) / static_cast<double>(sums.taught) +
        (log(static_cast<double>(sums.own)) - log(static_cast<double>(sums.taught)));
    const double weight = rows.weight;
    const double temperature = rows.temperature;
    scores[blockIdx.x] = {(1.0 - weight) * entropy + weight * temperature * temperature * distance,
                          plain.index == target ? 1 : 0, 1};
  }
  for_each_logit(row, rows.classes, [&](auto pack, Index i) {
    constexpr int kLanes = decltype(pack)::kLanes;
    Pack<kLanes> x = load_pack<kLanes>(row + i);
    const Pack<kLanes> t = load_beside<kLanes>(teacher + i);
    for (int j = 0; j < kLanes; ++j) {
      const float logit = x.at[j] - plain.top;
      const float apart =
          expf(logit * inverse) / sums.own - expf((t.at[j] - teacher_top) * inverse) / sums.taught;
      const float own = i + j == target ? hard : 0.0f;
      x.at[j] = expf(logit) * (hard / plain.sum) - own + soft * apart;
    }
    store_pack(row + i, x);
  });
}

}  // namespace lathe::LATHE_GPU
