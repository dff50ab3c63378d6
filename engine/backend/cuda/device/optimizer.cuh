// AdamW over all tensors in one launch, a block a piece of one: 28 bytes an element of f32, 16 with
// moments of 8 bits. Every block reads the norm and the loss, and so decides alike whether the step
// is taken.
#pragma once

#include "engine/backend/cuda/device/adamw_rule.cuh"
#include "engine/backend/cuda/device/moment_codes.cuh"
#include "engine/backend/cuda/device/tensor_list.cuh"

namespace lathe::LATHE_GPU {

template <WeightForm kForm, int kWidth>
__device__ inline void update_pack(const AdamwEntry& entry, Index i, const AdamwRule& by,
                                   float scale) {
  float* const m = static_cast<float*>(entry.m) + i;
  float* const v = static_cast<float*>(entry.v) + i;
  Pack<kWidth> first = load_pack<kWidth>(m);
  Pack<kWidth> second = load_pack<kWidth>(v);
  update_weights<kForm>(entry, i, by, scale, first, second);
  store_pack(m, first);
  store_pack(v, second);
}

// body(Pack<kWidth>{}, j) for the elements i + j, four from i on that may end beyond the tensor.
template <typename Body>
__device__ inline void for_group(const AdamwEntry& entry, Index i, const Body& body) {
  if (entry.fours && i + 4 <= entry.count) {
    body(Pack<4>{}, 0);
    return;
  }
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    if (i + j < entry.count) {
      body(Pack<1>{}, j);
    }
  }
}

// The block of codes at `begin`, by a warp.
template <WeightForm kForm>
__device__ inline void update_block(const AdamwEntry& entry, Index begin, const AdamwRule& by,
                                    float scale, const float* maps) {
  MomentBlock<DynamicMap::kSigned> m(entry.m, entry.m_absmax, begin, maps);
  MomentBlock<DynamicMap::kUnsigned> v(entry.v, entry.v_absmax, begin, maps);
  const Index mine = begin + 4 * static_cast<Index>(threadIdx.x % 32);
#pragma unroll  // so that values stay in registers
  for (int group = 0; group < 2; ++group) {
    const Index i = mine + group * (kCodedBlock / 2);
    for_group(entry, i, [&](auto pack, int j) {
      constexpr int kWidth = decltype(pack)::kLanes;
      Pack<kWidth> first = m.template load<kWidth>(i + j);
      Pack<kWidth> second = v.template load<kWidth>(i + j);
      update_weights<kForm>(entry, i + j, by, scale, first, second);
      for (int lane = 0; lane < kWidth; ++lane) {
        m.values[4 * group + j + lane] = first.at[lane];
        v.values[4 * group + j + lane] = second.at[lane];
      }
    });
  }
  const float m_divisor = m.close();
  const float v_divisor = v.close();
#pragma unroll  // so that values stay in registers
  for (int group = 0; group < 2; ++group) {
    const Index i = mine + group * (kCodedBlock / 2);
    for_group(entry, i, [&](auto pack, int j) {
      constexpr int kWidth = decltype(pack)::kLanes;
      m.template store<kWidth>(i + j, 4 * group + j, m_divisor);
      v.template store<kWidth>(i + j, 4 * group + j, v_divisor);
    });
  }
}

template <WeightForm kForm, bool kCoded>
__device__ inline void update_piece(const AdamwEntry& entry, Index begin, Index end,
                                    const AdamwRule& by, float scale, const float* maps) {
  if (kCoded && entry.m_absmax != nullptr) {
    const Index warp = threadIdx.x / 32;
    for (Index at = begin + warp * kCodedBlock; at < end; at += blockDim.x / 32 * kCodedBlock) {
      update_block<kForm>(entry, at, by, scale, maps);
    }
    return;
  }
  for_fours(begin, end, [&](Index i, bool four) {
    if (four && entry.fours) {
      update_pack<kForm, 4>(entry, i, by, scale);
      return;
    }
    for (Index j = i; j < i + (four ? 4 : 1); ++j) {
      update_pack<kForm, 1>(entry, j, by, scale);
    }
  });
}

// kCoded: whether any entry's moments are codes.
template <bool kCoded>
static __global__ void adamw_kernel(const AdamwEntry* entries, int tensors, Index piece_elements,
                                    AdamwRule given) {
  const AdamwRule by = current(given);
  float* const shared_scale = shared_memory<float>();
  if (threadIdx.x == 0) {
    *shared_scale = accepted_scale(by);
  }
  __syncthreads();
  const float scale = *shared_scale;
  if (scale < 0.0f) {
    // Blocks that read it before and after find the same: it was not 0, or the sums are not finite.
    if (blockIdx.x == 0 && threadIdx.x == 0) {
      *by.refused = 1.0;
    }
    return;
  }
  if (tensors == 0) {
    return;
  }
  const Index piece = blockIdx.x;
  const AdamwEntry entry = entries[entry_of(entries, tensors, piece)];
  const Index begin = (piece - entry.first_piece) * piece_elements;
  const Index end = entry.count < begin + piece_elements ? entry.count : begin + piece_elements;
  float* const maps = shared_scale + 1;
  if (kCoded && entry.m_absmax != nullptr) {
    fill_maps(maps);
  }
  switch (entry.form) {
    case WeightForm::kFloat:
      return update_piece<WeightForm::kFloat, kCoded>(entry, begin, end, by, scale, maps);
    case WeightForm::kMaster:
      return update_piece<WeightForm::kMaster, kCoded>(entry, begin, end, by, scale, maps);
    case WeightForm::kRandom:
      return update_piece<WeightForm::kRandom, kCoded>(entry, begin, end, by, scale, maps);
  }
}

}  // namespace lathe::LATHE_GPU
