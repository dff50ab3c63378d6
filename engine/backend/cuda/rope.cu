// rope.
#include "engine/backend/cuda/device/rope.cuh"

#include <algorithm>
#include <vector>

#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/rope_frequency.h"

namespace lathe::LATHE_GPU {
namespace {

// Half turns a position of each pair, remembered from call to call: a model asks for the same ones
// in every layer, and a token of a decode is shorter than it takes to work them out.
const std::vector<double>& half_turns(const RopeArgs& args, std::int64_t head_dim) {
  struct Known {
    float theta = 0.0f;
    std::int64_t head_dim = 0;
    RopeScaling scaling;
    std::vector<double> half_turns;
  };
  static thread_local Known known;
  if (known.theta != args.theta || known.head_dim != head_dim || known.scaling != args.scaling) {
    constexpr double kPi = 3.14159265358979323846;
    known = {.theta = args.theta, .head_dim = head_dim, .scaling = args.scaling, .half_turns = {}};
    for (std::int64_t pair = 0; pair < head_dim / 2; ++pair) {
      known.half_turns.push_back(rope_frequency(args, pair, head_dim) / kPi);
    }
  }
  return known.half_turns;
}

auto kernel_of(const RopeArgs& args) {
  if (args.pairs == RopePairs::kHalves) {
    return rope_kernel<RopeLayout::kHalves>;
  }
  return aligned_to(8, {args.x.data}) ? rope_kernel<RopeLayout::kTogether>
                                      : rope_kernel<RopeLayout::kNeighbours>;
}

}  // namespace

void rope(Backend& backend, const RopeArgs& args) {
  const std::int64_t head_dim = args.x.cols() / args.heads;
  const std::vector<double>& frequencies = half_turns(args, head_dim);
  const std::int64_t pairs = head_dim / 2;
  // A thread has all heads of its row, or as few as it takes to fill a device.
  constexpr std::int64_t kThreads = 132 * 2048;
  for (std::int64_t first = 0; first < pairs; first += kRopePairs) {
    const std::int64_t count = std::min<std::int64_t>(kRopePairs, pairs - first);
    const std::int64_t items = args.x.rows() * count;
    RopeFrequencies chosen{};
    std::copy_n(frequencies.begin() + first, count, chosen.of);
    const std::int64_t shares = std::clamp<std::int64_t>(
        kThreads / std::max<std::int64_t>(items, 1), 1, std::min<std::int64_t>(args.heads, 65535));
    const KernelCall call{.op = "rope",
                          .grid = {blocks_for(items, kBlockThreads), static_cast<unsigned>(shares)},
                          .block = kBlockThreads};
    launch(backend, call, kernel_of(args), args.x.f32(),
           args.positions.defined() ? args.positions.i32() : nullptr,
           {.rows = args.x.rows(),
            .length = args.x.shape[1],
            .heads = args.heads,
            .head_dim = head_dim,
            .first_position = args.first_position,
            .first_pair = first,
            .pairs = count},
           args.inverse ? -1.0f : 1.0f, chosen);
  }
}

}  // namespace lathe::LATHE_GPU
