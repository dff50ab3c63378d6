// dropout.
#include "engine/backend/cuda/device/dropout.cuh"

#include "engine/backend/cuda/alignment.h"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

void dropout(Backend& backend, const DropoutArgs& args) {
  const std::int64_t count = args.x.elements();
  const bool fours = aligned_to_fours({args.x.data, args.y.data}) && args.first % 4 == 0;
  const DropoutRule rule{.seed = args.seed,
                         .stream = dropout_stream(args.step, args.site),
                         .site = static_cast<unsigned long long>(args.site),
                         .first = args.first,
                         .threshold = dropout_threshold(args.rate),
                         .factor = dropout_factor(args.rate),
                         .step_at = args.step_at.defined() ? args.step_at.f64() : nullptr};
  const KernelCall call{.op = "dropout",
                        .grid = strided_blocks(fours ? (count + 3) / 4 : count, kBlockThreads),
                        .block = kBlockThreads};
  const auto kernel = args.adds ? (fours ? dropout_kernel<4, true> : dropout_kernel<1, true>)
                                : (fours ? dropout_kernel<4, false> : dropout_kernel<1, false>);
  launch(backend, call, kernel, args.x.f32(), args.y.f32(), rule, count);
}

}  // namespace lathe::LATHE_GPU
