// Embedding look-up over threads; its gradient is split by columns, so that each element of the
// table is summed by one thread in the order of the tokens.
#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {
namespace {

// Columns that one thread sums: a few cache lines.
constexpr std::int64_t kColumns = 64;

void check_ids(const TensorRef& ids, std::int64_t rows) {
  const std::int32_t* id = ids.i32();
  const bool inside = std::all_of(
      id, id + ids.elements(), [rows](std::int32_t value) { return value >= 0 && value < rows; });
  CHECK(inside, "embedding: an id is outside the table");
}

}  // namespace

void embedding_forward(Backend& backend, const EmbeddingForwardArgs& args) {
  check_ids(args.ids, args.table.rows());
  const std::int64_t width = args.table.cols();
  parallel_items(backend.parallelism(), args.ids.elements(), args.out.elements(),
                 [&](std::int64_t n) {
                   const TensorRef row = args.table.row_range(args.ids.i32()[n], 1);
                   kernels().decode(row.dtype, static_cast<const unsigned char*>(row.data),
                                    args.out.f32() + n * width, width);
                 });
}

void embedding_backward(Backend& backend, const EmbeddingBackwardArgs& args) {
  check_ids(args.ids, args.dtable.rows());
  const std::int64_t width = args.dtable.cols();
  const std::int64_t slices = (width + kColumns - 1) / kColumns;
  parallel_items(backend.parallelism(), slices, args.dout.elements(), [&](std::int64_t slice) {
    const std::int64_t first = slice * kColumns;
    const std::int64_t count = std::min(kColumns, width - first);
    for (std::int64_t n = 0; n < args.ids.elements(); ++n) {
      float* sum = args.dtable.f32() + args.ids.i32()[n] * width + first;
      kernels().add(sum, args.dout.f32() + n * width + first, sum, count);
    }
  });
}

}  // namespace lathe::cpu
