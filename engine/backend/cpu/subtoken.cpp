// VeLoRA's ops over threads: shares of sub-tokens, whatever rows they are of.
#include <algorithm>
#include <cmath>

#include "engine/backend/clipping.h"
#include "engine/backend/cpu/adamw_numbers.h"
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {
namespace {

// Elements of a share of the work.
constexpr std::int64_t kShareElements = 16384;

// body(first, range) over shares of `count` sub-tokens along `direction`.
template <typename Body>
void for_subtokens(Backend& backend, const TensorRef& direction, std::int64_t count,
                   const Body& body) {
  const std::int64_t size = direction.elements();
  const std::int64_t share = std::max<std::int64_t>(1, kShareElements / size);
  parallel_items(backend.parallelism(), (count + share - 1) / share, count * size,
                 [&](std::int64_t number) {
                   const std::int64_t first = number * share;
                   body(first, SubtokenRange{.direction = direction.f32(),
                                             .size = size,
                                             .count = std::min(share, count - first)});
                 });
}

}  // namespace

void subtoken_project(Backend& backend, const SubtokenProjectArgs& args) {
  for_subtokens(
      backend, args.v, args.z.elements(), [&](std::int64_t first, const SubtokenRange& range) {
        kernels().subtoken_project(range, args.x.f32() + first * range.size, args.z.f32() + first);
      });
}

void subtoken_rebuild(Backend& backend, const SubtokenRebuildArgs& args) {
  for_subtokens(
      backend, args.v, args.z.elements(), [&](std::int64_t first, const SubtokenRange& range) {
        kernels().subtoken_rebuild(range, args.z.f32() + first, args.x.f32() + first * range.size,
                                   args.alpha, args.beta);
      });
}

void subtoken_direction(Backend&, const SubtokenDirectionArgs& args) {
  const std::int64_t size = args.v.elements();
  const float added = (1.0f - args.decay) / static_cast<float>(args.count);
  float* const v = args.v.f32();
  for (std::int64_t k = 0; k < size; ++k) {
    const float kept = args.decay == 0.0f ? 0.0f : args.decay * v[k];
    v[k] = kept + added * args.sums.f32()[k];
  }
  const double length = std::sqrt(kernels().sum_squares(v, size));
  if (length == 0.0) {
    std::fill_n(v, size, static_cast<float>(1.0 / std::sqrt(static_cast<double>(size))));
    return;
  }
  for (std::int64_t k = 0; k < size; ++k) {
    v[k] = static_cast<float>(static_cast<double>(v[k]) / length);
  }
}

void adamw_subtoken_step(Backend& backend, const AdamwSubtokenStepArgs& given) {
  const AdamwStepArgs args = with_update_values(given.by);
  const std::optional<double> scale = accepted_scale(args);
  if (!scale) {
    return;
  }
  const AdamwRange whole = adamw_numbers(args, *scale);
  for (const SubtokenTensor& tensor : given.tensors) {
    for_subtokens(backend, tensor.direction, tensor.gradient.elements(),
                  [&](std::int64_t first, const SubtokenRange& range) {
                    SubtokenStep step{.range = range, .by = whole};
                    step.by.weight = tensor.weight.f32() + first * range.size;
                    step.by.gradient = tensor.gradient.f32() + first;
                    step.by.m = tensor.m.f32() + first;
                    step.by.v = tensor.v.f32() + first;
                    step.by.weight_decay = tensor.decays ? args.weight_decay : 0.0f;
                    kernels().adamw_subtokens(step);
                  });
  }
}

}  // namespace lathe::cpu
