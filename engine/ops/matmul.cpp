// Matrix product: shape rule and cost.
#include "engine/ops/op_table.h"
#include "engine/ops/shape_rules.h"

namespace lathe {

MatmulExtents matmul_extents(const MatmulArgs& args) {
  return {.m = args.transpose_a ? args.a.cols() : args.a.rows(),
          .n = args.transpose_b ? args.b.rows() : args.b.cols(),
          .k = args.transpose_a ? args.a.rows() : args.a.cols()};
}

void validate(const MatmulArgs& args) {
  check_f32(args.a);
  check_f32(args.b);
  check_f32(args.c);
  const MatmulExtents extents = matmul_extents(args);
  CHECK((args.transpose_b ? args.b.cols() : args.b.rows()) == extents.k,
        "matmul: the inner extents of a and b differ");
  CHECK(args.c.rows() == extents.m && args.c.cols() == extents.n,
        "matmul: c has the wrong extents");
  if (args.bias.defined()) {
    check_elements(args.bias, extents.n);
  }
  if (args.a_sums.defined()) {
    check_elements(args.a_sums, extents.m);
    CHECK(args.transpose_a && (args.beta == 0.0f || args.beta == 1.0f),
          "matmul: sums are those of a transposed a, added to or fresh");
  }
  check_distinct(args.c, args.a);
  check_distinct(args.c, args.b);
}

OpCost cost(const MatmulArgs& args) {
  const auto [m, n, k] = matmul_extents(args);
  const double reads_of_c = args.beta == 0.0f ? 0.0 : 1.0;
  const double added = args.bias.defined() ? double(m) * double(n) : 0.0;
  const double summed = args.a_sums.defined() ? double(m) * double(k) : 0.0;
  return {.flops = 2.0 * double(m) * double(n) * double(k) + added + summed,
          .bytes = 4.0 * (double(m) * double(k) + double(k) * double(n) +
                          (1.0 + reads_of_c) * double(m) * double(n))};
}

}  // namespace lathe
