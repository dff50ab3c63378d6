// The product in integers. Many rows: a thread takes panels of the matrix, by oneDNN's integer
// product where the processor adds four products exactly (VNNI; without it oneDNN saturates sums
// of two), else by our own loops. Integer sums are the same in any order, so bits depend on neither
// threads nor instruction set but for the columns in floats.
#include <dnnl.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/packed_rows.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {
namespace {

constexpr std::int64_t kColumnsTogether = 64;

// The op's operands and scratch as plain pointers.
struct Int8Product {
  const float* x;
  const std::int8_t* weights;
  StoredMatrix matrix;  // for the scales
  float* y;
  std::int64_t rows, in, out;
  std::int8_t* codes;     // [rows, in]
  float* scales;          // [rows]
  std::int32_t* columns;  // [in]: not 0 where the column is an outlier; then their numbers
  std::int64_t outliers = 0;
};

Int8Product product_of(const Int8MatmulArgs& args) {
  const Int8Scratch at = int8_scratch(args.w, args.x.rows());
  float* const scratch = args.workspace.f32();
  return {.x = args.x.f32(),
          .weights = static_cast<const std::int8_t*>(args.w.data),
          .matrix = matrix_of(args.w),
          .y = args.y.f32(),
          .rows = args.x.rows(),
          .in = args.w.cols(),
          .out = args.w.rows(),
          .codes = reinterpret_cast<std::int8_t*>(scratch + at.codes),
          .scales = scratch + at.scales,
          .columns = reinterpret_cast<std::int32_t*>(scratch + at.columns)};
}

void round_rows(int threads, float threshold, Int8Product& p) {
  const std::int64_t pieces = (p.in + kColumnsTogether - 1) / kColumnsTogether;
  parallel_items(threads, pieces, p.rows * p.in, [&](std::int64_t piece) {
    const std::int64_t first = piece * kColumnsTogether;
    const std::int64_t count = std::min(kColumnsTogether, p.in - first);
    std::fill_n(p.columns + first, count, 0);
    for (std::int64_t n = 0; n < p.rows; ++n) {
      kernels().int8_outliers(p.x + n * p.in + first, int8_limit(threshold), p.columns + first,
                              count);
    }
  });
  parallel_items(threads, p.rows, p.rows * p.in, [&](std::int64_t n) {
    const float largest = kernels().int8_largest(p.x + n * p.in, p.columns, p.in);
    kernels().int8_codes(p.x + n * p.in, p.columns, int8_factor(largest), p.codes + n * p.in, p.in);
    p.scales[n] = int8_scale(largest);
  });
  for (std::int64_t column = 0; column < p.in; ++column) {
    if (p.columns[column] != 0) {
      p.columns[p.outliers++] = static_cast<std::int32_t>(column);
    }
  }
}

float outlier_sum(const Int8Product& p, std::int64_t n, std::int64_t o) {
  float sum = 0.0f;
  for (std::int64_t i = 0; i < p.outliers; ++i) {
    const std::int64_t column = p.columns[i];
    sum += p.x[n * p.in + column] * static_cast<float>(p.weights[o * p.in + column]);
  }
  return sum;
}

void few_rows(int threads, const Int8Product& p) {
  const std::int64_t pieces = (p.out + kRowsTogether - 1) / kRowsTogether;
  parallel_items(threads, pieces, p.out * p.in, [&](std::int64_t piece) {
    const std::int64_t first = piece * kRowsTogether;
    const std::int64_t count = std::min(kRowsTogether, p.out - first);
    std::array<std::int32_t, kRowsTogether * kPackedFewRows> sums{};
    kernels().int8_dots({.weights = p.weights + first * p.in,
                         .codes = p.codes,
                         .count = count,
                         .rows = p.rows,
                         .width = p.in,
                         .sums = sums.data(),
                         .stride = kRowsTogether});
    for (std::int64_t n = 0; n < p.rows; ++n) {
      for (std::int64_t o = 0; o < count; ++o) {
        const auto sum =
            static_cast<float>(sums[static_cast<std::size_t>(n * kRowsTogether + o)]) * p.scales[n];
        p.y[n * p.out + first + o] =
            (sum + outlier_sum(p, n, first + o)) * block::int8_row_scale(p.matrix, first + o);
      }
    }
  });
}

// Whether oneDNN's integer product is exact.
bool adds_exactly() {
  static const bool exact =
      std::string_view(kernels().name) == "avx512" && __builtin_cpu_supports("avx512vnni") != 0;
  return exact;
}

// Rows [row, row + rows) of x, columns [first, first + count) of y.
struct Piece {
  std::int64_t row, rows, first, count;
};

void integer_sums(const Int8Product& p, const Piece& piece, std::int32_t* sums) {
  const std::int8_t* const codes = p.codes + piece.row * p.in;
  const std::int8_t* const weights = p.weights + piece.first * p.in;
  if (!adds_exactly()) {
    kernels().int8_dots({.weights = weights,
                         .codes = codes,
                         .count = piece.count,
                         .rows = piece.rows,
                         .width = p.in,
                         .sums = sums,
                         .stride = piece.count});
    return;
  }
  const std::int32_t nothing = 0;
  const dnnl_status_t status =
      dnnl_gemm_s8s8s32('N', 'T', 'F', piece.rows, piece.count, p.in, 1.0f, codes, p.in, 0, weights,
                        p.in, 0, 0.0f, sums, piece.count, &nothing);
  CHECK(status == dnnl_success, "int8_matmul: oneDNN refused the product");
}

// Adds the products of the columns in floats, some of them at a time, to what y holds.
void add_outliers(const Int8Product& p, const Piece& piece, float* x, float* w) {
  for (std::int64_t begin = 0; begin < p.outliers; begin += kInt8Panel) {
    const std::int64_t count = std::min(kInt8Panel, p.outliers - begin);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t column = p.columns[begin + i];
      for (std::int64_t n = 0; n < piece.rows; ++n) {
        x[n * count + i] = p.x[(piece.row + n) * p.in + column];
      }
      for (std::int64_t o = 0; o < piece.count; ++o) {
        const std::int64_t row = piece.first + o;
        w[o * count + i] = static_cast<float>(p.weights[row * p.in + column]) *
                           block::int8_row_scale(p.matrix, row);
      }
    }
    const dnnl_status_t status =
        dnnl_sgemm('N', 'T', piece.rows, piece.count, count, 1.0f, x, count, w, count, 1.0f,
                   p.y + piece.row * p.out + piece.first, p.out);
    CHECK(status == dnnl_success, "int8_matmul: oneDNN refused the product in floats");
  }
}

void many_rows(int threads, const Int8Product& p, float* scratch, std::int64_t per_thread) {
  const std::int64_t panels = (p.out + kInt8Panel - 1) / kInt8Panel;
  const std::int64_t parts = (p.rows + kInt8Rows - 1) / kInt8Rows;
  const std::int64_t most = std::min(kInt8Rows, p.rows);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
  for (std::int64_t index = 0; index < panels * parts; ++index) {
    const std::int64_t row = index / panels * kInt8Rows;
    const std::int64_t first = index % panels * kInt8Panel;
    const Piece piece{row, std::min(kInt8Rows, p.rows - row), first,
                      std::min(kInt8Panel, p.out - first)};
    float* const own = scratch + omp_get_thread_num() * per_thread;
    auto* const sums = reinterpret_cast<std::int32_t*>(own);
    integer_sums(p, piece, sums);
    std::array<float, kInt8Panel> scales{};
    for (std::int64_t o = 0; o < piece.count; ++o) {
      scales[static_cast<std::size_t>(o)] = block::int8_row_scale(p.matrix, first + o);
    }
    for (std::int64_t n = 0; n < piece.rows; ++n) {
      float* const y = p.y + (row + n) * p.out + first;
      for (std::int64_t o = 0; o < piece.count; ++o) {
        y[o] = static_cast<float>(sums[n * piece.count + o]) * p.scales[row + n] *
               scales[static_cast<std::size_t>(o)];
      }
    }
    add_outliers(p, piece, own + most * kInt8Panel, own + 2 * most * kInt8Panel);
  }
}

}  // namespace

void int8_matmul(Backend& backend, const Int8MatmulArgs& args) {
  if (args.y.elements() == 0) {
    return;
  }
  const int threads = backend.parallelism();
  CHECK(args.workspace.elements() >= int8_matmul_workspace_elements(args.w, args.x.rows(), threads),
        "int8_matmul: the workspace is too small");
  Int8Product product = product_of(args);
  round_rows(threads, args.threshold, product);
  if (product.rows <= kPackedFewRows) {
    few_rows(threads, product);
  } else {
    const Int8Scratch at = int8_scratch(args.w, product.rows);
    many_rows(threads, product, args.workspace.f32() + at.threads, at.per_thread);
  }
}

}  // namespace lathe::cpu
