// Rows of a table by index, and their gradient.
#include <algorithm>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/quant/block_codec.h"

namespace lathe::cpu_ref {
namespace {

std::int64_t checked_id(const TensorRef& ids, std::int64_t n, std::int64_t rows) {
  const std::int64_t id = ids.i32()[n];
  CHECK(id >= 0 && id < rows, "embedding: an id is outside the table");
  return id;
}

}  // namespace

void embedding_forward(Backend&, const EmbeddingForwardArgs& args) {
  const std::int64_t width = args.table.cols();
  for (std::int64_t n = 0; n < args.ids.elements(); ++n) {
    const std::int64_t id = checked_id(args.ids, n, args.table.rows());
    const auto* row = static_cast<const std::byte*>(args.table.row_range(id, 1).data);
    decode_row(args.table.dtype, row, args.out.f32() + n * width, width);
  }
}

void embedding_backward(Backend&, const EmbeddingBackwardArgs& args) {
  const std::int64_t width = args.dtable.cols();
  for (std::int64_t n = 0; n < args.ids.elements(); ++n) {
    const std::int64_t id = checked_id(args.ids, n, args.dtable.rows());
    for (std::int64_t i = 0; i < width; ++i) {
      args.dtable.f32()[id * width + i] += args.dout.f32()[n * width + i];
    }
  }
}

}  // namespace lathe::cpu_ref
