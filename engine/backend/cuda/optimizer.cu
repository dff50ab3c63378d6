// adamw_step.
#include "engine/backend/cuda/device/optimizer.cuh"

#include "engine/backend/cuda/adamw_call.h"
#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/tensor_list.h"

namespace lathe::LATHE_GPU {
namespace {

constexpr std::size_t kMostTensors = GpuBackend::kScratchBytes / sizeof(AdamwEntry);
constexpr std::int64_t kPieceElements = 8192;
static_assert(kPieceElements % kRoundingElements == 0 && kPieceElements % kMomentBlock == 0);
static_assert(kMomentBlock == kCodedBlock);

AdamwEntry entry_of(const AdamwTensor& tensor, std::int64_t first_piece, std::int64_t place) {
  const bool rounded = tensor.weight.dtype == DType::kBf16;
  const bool coded = tensor.m.values.dtype == DType::kU8;
  const bool fours = aligned_to(rounded ? 8 : 16, {tensor.weight.data}) &&
                     aligned_to(coded ? 4 : 16, {tensor.m.values.data, tensor.v.values.data}) &&
                     aligned_to_fours({tensor.gradient.data, tensor.master.data});
  return {.weight = tensor.weight.data,
          .master = tensor.master.f32(),
          .gradient = tensor.gradient.f32(),
          .m = tensor.m.values.data,
          .v = tensor.v.values.data,
          .m_absmax = tensor.m.absmax.f32(),
          .v_absmax = tensor.v.absmax.f32(),
          .count = tensor.weight.elements(),
          .first_piece = first_piece,
          .place = place,
          .form = !rounded                  ? WeightForm::kFloat
                  : tensor.master.defined() ? WeightForm::kMaster
                                            : WeightForm::kRandom,
          .decays = tensor.decays,
          .fours = fours};
}

}  // namespace

void adamw_step(Backend& backend, const AdamwStepArgs& args) {
  const AdamwRule rule = rule_of(args);
  std::int64_t place = 0;
  for_table_ranges(args.tensors.size(), kMostTensors, [&](std::size_t first, std::size_t count) {
    std::vector<AdamwEntry> entries;
    std::int64_t pieces = 0;
    for (const AdamwTensor& tensor : args.tensors.subspan(first, count)) {
      const std::int64_t elements = tensor.weight.elements();
      entries.push_back(entry_of(tensor, pieces, place));
      pieces += (elements + kPieceElements - 1) / kPieceElements;
      place = next_rounding_place(place, elements);
    }
    const AdamwEntry* const table = upload_table(backend, entries);
    const bool coded = std::any_of(entries.begin(), entries.end(), [](const AdamwEntry& entry) {
      return entry.m_absmax != nullptr;
    });
    // Without any element there still is a step to refuse.
    const KernelCall call{.op = "adamw_step",
                          .grid = blocks_for(std::max<std::int64_t>(1, pieces), 1),
                          .block = kBlockThreads,
                          .shared_bytes = sizeof(float) * (coded ? 1 + kMapFloats : 1)};
    launch(backend, call, coded ? adamw_kernel<true> : adamw_kernel<false>, table,
           pieces == 0 ? 0 : static_cast<int>(count), kPieceElements, rule);
  });
}

}  // namespace lathe::LATHE_GPU
