// column_dot.
#include "engine/backend/cuda/column_sums.h"
#include "engine/backend/cuda/ops.h"

namespace lathe::LATHE_GPU {

void column_dot(Backend& backend, const ColumnDotArgs& args) {
  add_column_sums(backend, "column_dot", DotTerms{.a = args.a.f32(), .b = args.b.f32()},
                  args.a.rows(), args.a.cols(), args.sums.f32(), nullptr);
}

}  // namespace lathe::LATHE_GPU
