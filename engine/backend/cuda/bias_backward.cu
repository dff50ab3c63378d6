// bias_backward.
#include "engine/backend/cuda/column_sums.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

void bias_backward(Backend& backend, const BiasBackwardArgs& args) {
  add_column_sums(backend, "bias_backward", BiasTerms{.dy = args.dy.f32()}, args.dy.rows(),
                  args.dy.cols(), args.dbias.f32(), nullptr);
}

}  // namespace lathe::LATHE_GPU
