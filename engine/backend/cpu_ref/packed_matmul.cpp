// The product with a stored weight, one decoded row of it after the other.
#include <vector>

#include "engine/backend/cpu_ref/cpu_ref_backend.h"
#include "engine/quant/stored_matrix.h"

namespace lathe::cpu_ref {

void packed_matmul(Backend&, const PackedMatmulArgs& args) {
  const std::int64_t rows = args.x.rows();
  const std::int64_t in = args.w.cols();
  const std::int64_t out = args.w.rows();
  const std::int64_t y_cols = args.y.cols();
  std::vector<double> sums(static_cast<std::size_t>(args.y.elements()), 0.0);
  const StoredMatrix weight = stored_matrix(args.w.dtype, args.w.data, out, in);
  std::vector<float> row(static_cast<std::size_t>(in));
  for (std::int64_t o = 0; o < out; ++o) {
    decode_part(weight, o, 0, row.data(), in);
    for (std::int64_t n = 0; n < rows; ++n) {
      for (std::int64_t i = 0; i < in; ++i) {
        const double w = row[static_cast<std::size_t>(i)];
        const std::int64_t x_column = args.transpose_w ? i : o;
        const std::int64_t y_column = args.transpose_w ? o : i;
        sums[static_cast<std::size_t>(n * y_cols + y_column)] +=
            double(args.x.f32()[n * args.x.cols() + x_column]) * w;
      }
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    float& y = args.y.f32()[i];
    y = static_cast<float>(sums[i] + (args.beta == 0.0f ? 0.0 : double(args.beta) * double(y)));
  }
}

void packed_group(Backend& backend, const PackedGroupArgs& args) {
  for (std::int64_t i = 0; i < args.count; ++i) {
    const PackedProduct& product = args.products[static_cast<std::size_t>(i)];
    if (product.second.defined()) {
      packed_matmul(backend,
                    {.x = args.x, .w = product.first, .y = product.hidden, .workspace = {}});
      packed_matmul(backend,
                    {.x = product.hidden, .w = product.second, .y = product.y, .workspace = {}});
    } else {
      packed_matmul(backend, {.x = args.x, .w = product.first, .y = product.y, .workspace = {}});
    }
  }
}

}  // namespace lathe::cpu_ref
