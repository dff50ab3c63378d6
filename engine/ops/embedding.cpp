// Embedding look-up: shape rules and costs. That ids lie within the table is checked where they are
// used, as they are values.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

void validate(const EmbeddingForwardArgs& args) {
  CHECK(args.table.defined() && args.table.dtype < DType::kInt8Row,
        "embedding: a table of weights, of rows that stand alone");
  check_f32(args.out);
  check_i32(args.ids);
  CHECK(args.out.rows() == args.ids.elements() && args.out.cols() == args.table.cols(),
        "embedding: out is [N, D]");
}

OpCost cost(const EmbeddingForwardArgs& args) {
  return {.flops = 0, .bytes = 2.0 * double(args.out.bytes())};
}

void validate(const EmbeddingBackwardArgs& args) {
  check_f32(args.dtable);
  check_f32(args.dout);
  check_i32(args.ids);
  CHECK(args.dout.rows() == args.ids.elements() && args.dout.cols() == args.dtable.cols(),
        "embedding: dout is [N, D]");
}

OpCost cost(const EmbeddingBackwardArgs& args) {
  const double n = double(args.dout.elements());
  return {.flops = n, .bytes = 12.0 * n};
}

}  // namespace lathe
