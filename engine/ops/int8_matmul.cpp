// The product in integers: shape rule, scratch and cost.
#include <algorithm>

#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

Int8Scratch int8_scratch(const TensorRef& w, std::int64_t rows) {
  Int8Scratch at;
  at.scales = (rows * w.cols() + 3) / 4;
  at.columns = at.scales + rows;
  at.threads = at.columns + w.cols();
  at.per_thread = (2 * std::min(kInt8Rows, rows) + kInt8Panel) * kInt8Panel;
  return at;
}

std::int64_t int8_matmul_workspace_elements(const TensorRef& w, std::int64_t rows,
                                            std::int64_t parallelism) {
  return int8_scratch(w, rows).elements(parallelism);
}

void validate(const Int8MatmulArgs& args) {
  check_f32(args.x);
  check_f32(args.y);
  check_f32(args.workspace);
  CHECK(args.w.defined() && args.w.dtype == DType::kInt8Row,
        "int8_matmul: an int8_row matrix is expected");
  CHECK(args.x.rows() == args.y.rows(), "int8_matmul: x and y have different rows");
  CHECK(args.x.cols() == args.w.cols() && args.y.cols() == args.w.rows(),
        "int8_matmul: the extents of w do not fit");
  CHECK(args.threshold >= 0.0f, "int8_matmul: a threshold is not negative");
  check_distinct(args.x, args.y);
}

OpCost cost(const Int8MatmulArgs& args) {
  return {.flops = 2.0 * double(args.x.rows()) * double(args.w.elements()),
          .bytes = double(args.w.bytes()) + double(args.x.bytes()) + double(args.y.bytes())};
}

}  // namespace lathe
