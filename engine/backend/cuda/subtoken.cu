// subtoken_project, subtoken_rebuild, subtoken_direction, adamw_subtoken_step.
#include "engine/backend/cuda/device/subtoken.cuh"

#include "engine/backend/cuda/adamw_call.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {
namespace {

SubtokenExtents extents_of(const TensorRef& ones, const TensorRef& direction) {
  const std::int64_t size = direction.elements();
  CHECK(size <= 0x7fffffff, "a sub-token has fewer than 2^31 elements");
  int team = 1;
  while (team < 32 && team < size) {
    team *= 2;
  }
  return {.count = ones.elements(), .size = static_cast<int>(size), .team = team};
}

KernelCall team_call(const char* op, const SubtokenExtents& extents) {
  return {.op = op,
          .grid = blocks_for(extents.count * extents.team, kBlockThreads),
          .block = kBlockThreads};
}

}  // namespace

void subtoken_project(Backend& backend, const SubtokenProjectArgs& args) {
  const SubtokenExtents extents = extents_of(args.z, args.v);
  launch(backend, team_call("subtoken_project", extents), subtoken_project_kernel, args.x.f32(),
         args.v.f32(), args.z.f32(), extents);
}

void subtoken_rebuild(Backend& backend, const SubtokenRebuildArgs& args) {
  const std::int64_t elements = args.x.elements();
  const KernelCall call{.op = "subtoken_rebuild",
                        .grid = strided_blocks(elements, kBlockThreads),
                        .block = kBlockThreads};
  launch(backend, call, subtoken_rebuild_kernel, args.z.f32(), args.v.f32(), args.x.f32(),
         args.alpha, args.beta, elements, extents_of(args.z, args.v).size);
}

void subtoken_direction(Backend& backend, const SubtokenDirectionArgs& args) {
  const KernelCall call{.op = "subtoken_direction",
                        .grid = 1,
                        .block = kBlockThreads,
                        .shared_bytes = kWarpThreads * sizeof(double)};
  launch(backend, call, subtoken_direction_kernel, args.sums.f32(), args.v.f32(),
         static_cast<int>(args.v.elements()), args.decay,
         (1.0f - args.decay) / static_cast<float>(args.count));
}

void adamw_subtoken_step(Backend& backend, const AdamwSubtokenStepArgs& args) {
  const AdamwRule rule = rule_of(args.by);
  for (const SubtokenTensor& tensor : args.tensors) {
    const SubtokenExtents extents = extents_of(tensor.gradient, tensor.direction);
    const SubtokenWeight weight{.weight = tensor.weight.f32(),
                                .gradient = tensor.gradient.f32(),
                                .m = tensor.m.f32(),
                                .v = tensor.v.f32(),
                                .direction = tensor.direction.f32(),
                                .decays = tensor.decays};
    launch(backend, team_call("adamw_subtoken_step", extents), adamw_subtokens_kernel, weight,
           extents, rule);
  }
}

}  // namespace lathe::LATHE_GPU
