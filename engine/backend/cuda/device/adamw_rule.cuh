// An entry of AdamW's table, the numbers of a step, and what it does to weights and moments that a
// thread holds, whichever way these are kept.
#pragma once

#include "engine/backend/cuda/device/rounding.cuh"
#include "engine/ops/update_values.h"

namespace lathe::LATHE_GPU {

enum class WeightForm : int { kFloat, kMaster, kRandom };

// A tensor; `fours` where all of it may be moved four elements at a time.
struct AdamwEntry {
  void* weight;
  float* master;
  const float* gradient;
  void *m, *v;                 // floats, or codes
  float *m_absmax, *v_absmax;  // of codes, else null
  Index count, first_piece;
  Index place;  // in the order of rounding
  WeightForm form;
  bool decays, fours;
};

// What the host worked out in double, and where the device finds the rest.
struct AdamwRule {
  float keep1, add1;               // beta1, 1 - beta1
  float keep2, add2;               // beta2, 1 - beta2
  float correction1, correction2;  // 1 / (1 - beta^step)
  float lr, eps, decay;
  double clip_norm;
  const double* squares;
  const double* loss;  // or null
  double* refused;
  const UpdateValues* values;  // or null
  RandomKey random;
};

// The rule with what lies on the device in place of what the host gave.
__device__ inline AdamwRule current(AdamwRule rule) {
  if (rule.values != nullptr) {
    const UpdateValues now = *rule.values;
    rule.lr = static_cast<float>(now.lr);
    rule.decay = static_cast<float>(now.weight_decay);
    rule.clip_norm = now.clip_norm;
    rule.correction1 = static_cast<float>(now.correction1);
    rule.correction2 = static_cast<float>(now.correction2);
    rule.random.stream = kRoundingStreams + static_cast<unsigned long long>(now.step);
  }
  return rule;
}

// The factor of the gradients, or -1 where the step is not to be taken; as clipping.h.
__device__ inline float accepted_scale(const AdamwRule& rule) {
  constexpr double kLargest = 1.7976931348623157e308;
  const double squares = *rule.squares;
  const double loss = rule.loss == nullptr ? 0.0 : *rule.loss;
  // A NaN is not less than anything.
  if (!(squares <= kLargest) || !(fabs(loss) <= kLargest) || *rule.refused != 0.0) {
    return -1.0f;
  }
  const double norm = sqrt(squares);
  const bool clips = rule.clip_norm > 0.0 && norm > rule.clip_norm;
  return static_cast<float>(clips ? rule.clip_norm / norm : 1.0);
}

// The weights from i on, and their moments.
template <WeightForm kForm, int kWidth>
__device__ inline void update_weights(const AdamwEntry& entry, Index i, const AdamwRule& by,
                                      float scale, Pack<kWidth>& first, Pack<kWidth>& second) {
  float* const exact =
      kForm == WeightForm::kFloat ? static_cast<float*>(entry.weight) : entry.master;
  Bf16Bits* const bits = static_cast<Bf16Bits*>(entry.weight);
  const Pack<kWidth> g = load_pack<kWidth>(entry.gradient + i);
  Pack<kWidth> w;
  if constexpr (kForm == WeightForm::kRandom) {
    w = load_bf16<kWidth>(bits + i);
  } else {
    w = load_pack<kWidth>(exact + i);
  }
  const float decay = entry.decays ? by.decay : 0.0f;
  for (int j = 0; j < kWidth; ++j) {
    const float scaled = g.at[j] * scale;
    first.at[j] = by.keep1 * first.at[j] + by.add1 * scaled;
    second.at[j] = by.keep2 * second.at[j] + by.add2 * scaled * scaled;
    const float move =
        first.at[j] * by.correction1 / (sqrtf(second.at[j] * by.correction2) + by.eps);
    w.at[j] -= by.lr * (move + decay * w.at[j]);
  }
  if constexpr (kForm != WeightForm::kRandom) {
    store_pack(exact + i, w);
  }
  if constexpr (kForm == WeightForm::kMaster) {
    store_bf16(bits + i, nearest_bf16(w));
  } else if constexpr (kForm == WeightForm::kRandom) {
    store_bf16(bits + i, random_bf16(w, by.random, entry.place + i));
  }
}

}  // namespace lathe::LATHE_GPU
