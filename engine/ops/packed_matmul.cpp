// Products with stored weights, alone and together: shape rules, scratch and cost.
#include <algorithm>

#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

std::int64_t packed_matmul_workspace_elements(const TensorRef& w, std::int64_t rows,
                                              bool transpose_w, std::int64_t parallelism) {
  if (transpose_w) {
    return rows <= kPackedFewRows ? 0 : parallelism * std::min(kPanelRows, w.rows()) * w.cols();
  }
  return parallelism * std::min(kPanelRows, w.rows()) * std::min(kPanelColumns, w.cols());
}

void validate(const PackedMatmulArgs& args) {
  check_f32(args.x);
  check_packed(args.w);
  check_f32(args.y);
  CHECK(args.x.rows() == args.y.rows(), "packed_matmul: x and y have different rows");
  const TensorRef& wide = args.transpose_w ? args.x : args.y;
  const TensorRef& tall = args.transpose_w ? args.y : args.x;
  CHECK(wide.cols() == args.w.cols() && tall.cols() == args.w.rows(),
        "packed_matmul: the extents of w do not fit");
  check_distinct(args.x, args.y);
}

void validate(const PackedGroupArgs& args) {
  CHECK(args.count >= 1 && args.count <= static_cast<std::int64_t>(args.products.size()),
        "packed_group: between one and three products");
  CHECK(args.x.rows() <= kPackedFewRows, "packed_group: few rows");
  for (std::int64_t i = 0; i < args.count; ++i) {
    const PackedProduct& product = args.products[static_cast<std::size_t>(i)];
    const bool factored = product.second.defined();
    validate(PackedMatmulArgs{.x = args.x,
                              .w = product.first,
                              .y = factored ? product.hidden : product.y,
                              .workspace = {}});
    if (factored) {
      validate(PackedMatmulArgs{
          .x = product.hidden, .w = product.second, .y = product.y, .workspace = {}});
    }
  }
}

OpCost cost(const PackedGroupArgs& args) {
  OpCost sum;
  const auto add = [&sum](TensorRef x, TensorRef w, TensorRef y) {
    const OpCost one = cost(PackedMatmulArgs{.x = x, .w = w, .y = y, .workspace = {}});
    sum.flops += one.flops;
    sum.bytes += one.bytes;
  };
  for (std::int64_t i = 0; i < args.count; ++i) {
    const PackedProduct& product = args.products[static_cast<std::size_t>(i)];
    if (product.second.defined()) {
      add(args.x, product.first, product.hidden);
      add(product.hidden, product.second, product.y);
    } else {
      add(args.x, product.first, product.y);
    }
  }
  return sum;
}

OpCost cost(const PackedMatmulArgs& args) {
  const double products = double(args.x.rows()) * double(args.w.elements());
  const double reads_of_y = args.beta == 0.0f ? 0.0 : 1.0;
  return {.flops = 2.0 * products,
          .bytes = double(args.w.bytes()) + double(args.x.bytes()) +
                   (1.0 + reads_of_y) * double(args.y.bytes())};
}

}  // namespace lathe
