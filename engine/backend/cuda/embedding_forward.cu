// embedding_forward.
#include "engine/backend/cuda/device/embedding_forward.cuh"

#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/stored_types.h"

namespace lathe::LATHE_GPU {

void embedding_forward(Backend& backend, const EmbeddingForwardArgs& args) {
  const KernelCall call{.op = "embedding_forward",
                        .grid = blocks_for(args.ids.elements(), 1),
                        .block = kBlockThreads};
  with_decoder(args.table, {args.out.f32()}, [&]<typename Decoder>(Decoder) {
    launch(backend, call, embedding_forward_kernel<Decoder>,
           static_cast<const Byte*>(args.table.data), args.ids.i32(), args.out.f32(),
           args.table.rows(), args.table.cols());
  });
}

}  // namespace lathe::LATHE_GPU
