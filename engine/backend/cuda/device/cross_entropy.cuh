// Softmax cross-entropy, a block a row: one pass finds maximum and sum, rescaling the sum where the
// maximum grows (Milakov & Gimelshein 2018), a second one writes the gradient. 4 bytes an element,
// 8 with the gradient; a row's second read comes from the L2 cache up to some 40,000 classes.
#pragma once

#include "engine/backend/cuda/device/pack.cuh"
#include "engine/backend/cuda/device/reduce.cuh"

namespace lathe::LATHE_GPU {

constexpr float kLargestFloat = 3.402823466e+38f;
constexpr int kNoIndex = 0x7fffffff;

struct Min {
  template <typename T>
  __device__ T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};

// What a row gives to the sums.
struct RowScore {
  double loss;
  int correct, counted;
};

// The sum of exp(x - top) over some logits, where their first greatest lies, and whether one is not
// finite. `top` begins finite, so that a logit of minus infinity adds exp(-inf) = 0.
struct LogitSum {
  float top = -kLargestFloat;
  float sum = 0.0f;
  int index = kNoIndex;
  int odd = 0;

  template <int kWidth>
  __device__ void add(const Pack<kWidth>& x, Index at) {
    float greatest = top;
    for (int j = 0; j < kWidth; ++j) {
      if (x.at[j] > greatest) {
        greatest = x.at[j];
        index = static_cast<int>(at) + j;
      }
      odd |= fabsf(x.at[j]) <= kLargestFloat ? 0 : 1;
    }
    if (greatest > top) {
      sum *= expf(top - greatest);
      top = greatest;
    }
    for (int j = 0; j < kWidth; ++j) {
      sum += expf(x.at[j] - top);
    }
  }
};

// The row of a block: single logits up to the first address that packs of four may begin at, packs,
// single ones again. body(Pack<1 or 4>{}, index) as in for_each_pack.
template <typename Body>
__device__ inline void for_each_logit(const float* row, Index classes, const Body& body) {
  const auto misplaced = reinterpret_cast<unsigned long long>(row) / sizeof(float) % 4;
  const Index head = static_cast<Index>((4 - misplaced) % 4);
  const Index before = head < classes ? head : classes;
  const Index packs = (classes - before) / 4;
  const Index thread = threadIdx.x;
  if (thread < before) {
    body(Pack<1>{}, thread);
  }
  for (Index pack = thread; pack < packs; pack += blockDim.x) {
    body(Pack<4>{}, before + 4 * pack);
  }
  const Index rest = before + 4 * packs + thread;
  if (rest < classes) {
    body(Pack<1>{}, rest);
  }
}

// In every thread: the sum over the row. `room` is shared memory for 32 floats.
__device__ inline LogitSum sum_row(const float* row, Index classes, float* room) {
  LogitSum sum;
  for_each_logit(row, classes, [&](auto pack, Index i) {
    sum.add(load_pack<decltype(pack)::kLanes>(row + i), i);
  });
  auto* const whole_room = reinterpret_cast<int*>(room);
  const float top = reduce_block(sum.top, -kLargestFloat, Max(), room);
  sum.sum = reduce_block(sum.sum * expf(sum.top - top), 0.0f, Sum(), room);
  sum.index = reduce_block(sum.top == top ? sum.index : kNoIndex, kNoIndex, Min(), whole_room);
  sum.odd = reduce_block(sum.odd, 0, Max(), whole_room);
  sum.top = top;
  // As a search for the greatest that begins at the first logit: a NaN there is never exceeded.
  if (sum.index == kNoIndex || !(row[0] == row[0])) {
    sum.index = 0;
  }
  return sum;
}

struct EntropyRows {
  float* logits;
  const int* targets;
  float* losses;  // may be null, as argmax
  int* argmax;
  Index first, classes;
  const double* scale_at;  // or null
  float grad_scale;
};

// scores[block] of the row first + block.
template <bool kGradient>
static __global__ void __launch_bounds__(1024, 2)
    entropy_rows_kernel(EntropyRows rows, RowScore* scores) {
  const Index at = rows.first + blockIdx.x;
  float* const row = rows.logits + at * rows.classes;
  const Index target = rows.targets[at];
  const bool counted = target >= 0;
  if (target < -1 || target >= rows.classes) {
    __trap();
  }
  LogitSum sum;
  float at_target = 0.0f;
  if (counted) {
    sum = sum_row(row, rows.classes, shared_memory<float>());
    at_target = row[target];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    RowScore score{0.0, 0, 0};
    if (counted) {
      score = {log(static_cast<double>(sum.sum)) +
                   (static_cast<double>(sum.top) - static_cast<double>(at_target)),
               sum.index == target ? 1 : 0, 1};
    }
    scores[blockIdx.x] = score;
    if (rows.losses != nullptr) {
      rows.losses[at] = sum.odd != 0 ? nanf("") : static_cast<float>(score.loss);
    }
    if (rows.argmax != nullptr) {
      rows.argmax[at] = counted && sum.odd == 0 ? sum.index : -1;
    }
  }
  if constexpr (kGradient) {
    const float share = counted ? 1.0f / sum.sum : 0.0f;
    const float scale =
        rows.scale_at == nullptr ? rows.grad_scale : static_cast<float>(*rows.scale_at);
    for_each_logit(row, rows.classes, [&](auto pack, Index i) {
      constexpr int kLanes = decltype(pack)::kLanes;
      Pack<kLanes> x{};
      if (counted) {
        x = load_pack<kLanes>(row + i);
        for (int j = 0; j < kLanes; ++j) {
          const float own = i + j == target ? 1.0f : 0.0f;
          x.at[j] = (expf(x.at[j] - sum.top) * share - own) * scale;
        }
      }
      store_pack(row + i, x);
    });
  }
}

// result += {loss, correct, counted} of the scores; one block.
static __global__ void add_scores_kernel(const RowScore* scores, Index count, double* result) {
  double sums[3] = {};
  for (Index i = threadIdx.x; i < count; i += blockDim.x) {
    sums[0] += scores[i].loss;
    sums[1] += scores[i].correct;
    sums[2] += scores[i].counted;
  }
  for (int s = 0; s < 3; ++s) {
    const double sum = reduce_block(sums[s], 0.0, Sum(), shared_memory<double>());
    if (threadIdx.x == 0) {
      result[s] += sum;
    }
  }
}

}  // namespace lathe::LATHE_GPU
