// Products with stored weights. Few rows of x: each row of the weight is read once, as it is. Many:
// panels of it are decoded, as large as the workspace allows, and multiplied by the library.
#include "engine/backend/cuda/device/packed_matmul.cuh"

#include <algorithm>

#include "engine/backend/cuda/device/rounding.cuh"
#include "engine/backend/cuda/launch.h"
#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/stored_types.h"

namespace lathe::LATHE_GPU {
namespace {

MatrixView view_of(const TensorRef& w) {
  return {static_cast<const Byte*>(w.data), w.rows(), w.cols(), palette_form(w.dtype).bits};
}

template <typename Decoder, int kRows>
void multiply_rows(Backend& backend, const PackedMatmulArgs& args) {
  const std::int64_t parts = args.w.cols() / Decoder::kBlockElements * Decoder::kLanes;
  const std::int64_t warps = std::clamp<std::int64_t>((parts + kWarpThreads - 1) / kWarpThreads, 1,
                                                      kDotThreads / kWarpThreads);
  const KernelCall call{
      .op = "packed_matmul",
      .grid = blocks_for(args.w.rows(), kDotRows),
      .block = static_cast<unsigned>(warps) * kWarpThreads,
      .shared_bytes = static_cast<std::size_t>(warps) * kDotRows * kRows * sizeof(float)};
  launch(backend, call, packed_dots_kernel<Decoder, kRows>, view_of(args.w), args.x.f32(),
         args.y.f32(), static_cast<int>(args.x.rows()), args.beta);
  if constexpr (spqr_bits(Decoder::kDType) > 0) {
    const KernelCall sparse{.op = "packed_matmul",
                            .grid = blocks_for(args.w.rows(), kBlockThreads / kWarpThreads),
                            .block = kBlockThreads};
    launch(backend, sparse, outlier_dots_kernel<Decoder>, view_of(args.w), args.x.f32(),
           args.y.f32(), static_cast<int>(args.x.rows()));
  }
}

void few_rows(Backend& backend, const PackedMatmulArgs& args) {
  static_assert(kPackedFewRows == 4);
  with_decoder(args.w, {args.x.f32()}, [&]<typename Decoder>(Decoder) {
    if constexpr (is_packed(Decoder::kDType)) {
      switch (args.x.rows()) {
        case 1:
          return multiply_rows<Decoder, 1>(backend, args);
        case 2:
          return multiply_rows<Decoder, 2>(backend, args);
        default:
          return multiply_rows<Decoder, 4>(backend, args);
      }
    }
  });
}

// A panel of the weight, decoded: rows [row, row + rows), columns [column, column + columns).
struct Panel {
  std::int64_t row, rows, column, columns;
};

void decode_panel(Backend& backend, const PackedMatmulArgs& args, const Panel& panel) {
  float* const to = args.workspace.f32();
  with_decoder(args.w, {to}, [&]<typename Decoder>(Decoder) {
    if constexpr (is_packed(Decoder::kDType)) {
      constexpr std::int64_t kMostRows = 65535;  // of a grid, in y
      const std::int64_t parts = panel.columns / Decoder::kBlockElements * Decoder::kLanes;
      const KernelCall call{.op = "packed_matmul",
                            .grid = dim3(blocks_for(parts, kBlockThreads),
                                         static_cast<unsigned>(std::min(panel.rows, kMostRows))),
                            .block = kBlockThreads};
      launch(backend, call, decode_rows_kernel<Decoder>, view_of(args.w), panel.row, panel.rows,
             panel.column, panel.columns, to);
      if constexpr (spqr_bits(Decoder::kDType) > 0) {
        const KernelCall sparse{.op = "packed_matmul",
                                .grid = blocks_for(panel.rows, kBlockThreads / kWarpThreads),
                                .block = kBlockThreads};
        launch(backend, sparse, add_outliers_kernel<Decoder>, view_of(args.w), panel.row,
               panel.rows, panel.column, panel.columns, to);
      }
    }
  });
}

// The product of what `panel` holds with the part of x that meets it.
void multiply(Backend& backend, const PackedMatmulArgs& args, const Panel& panel, float beta) {
  decode_panel(backend, args, panel);
  const bool forward = args.transpose_w;
  gpu(backend).gemm({.a = args.x.f32() + (forward ? panel.column : panel.row),
                     .b = args.workspace.f32(),
                     .c = args.y.f32() + (forward ? panel.row : panel.column),
                     .m = args.x.rows(),
                     .n = forward ? panel.rows : panel.columns,
                     .k = forward ? panel.columns : panel.rows,
                     .lda = args.x.cols(),
                     .ldb = panel.columns,
                     .ldc = args.y.cols(),
                     .transpose_b = forward,
                     .beta = beta});
}

// Panels of whole rows; each gives columns of y.
void many_rows(Backend& backend, const PackedMatmulArgs& args, std::int64_t room) {
  const std::int64_t out = args.w.rows();
  const std::int64_t most = std::max<std::int64_t>(room / args.w.cols(), 1);
  for (std::int64_t row = 0; row < out; row += most) {
    multiply(backend, args, {row, std::min(most, out - row), 0, args.w.cols()}, args.beta);
  }
}

// Columns of y at a time, all where the workspace has room for kPanelRows of them; each the sum
// over the rows of the weight in their order.
void input_gradient(Backend& backend, const PackedMatmulArgs& args, std::int64_t room) {
  const std::int64_t out = args.w.rows();
  const std::int64_t width = args.w.cols();
  const std::int64_t panel_width = panel_columns(args.w.dtype);
  const std::int64_t fitting = room / std::min(kPanelRows, out) / panel_width * panel_width;
  const std::int64_t most_columns = std::min(std::max(fitting, panel_width), width);
  const std::int64_t most_rows = room / most_columns;
  for (std::int64_t column = 0; column < width; column += most_columns) {
    const std::int64_t columns = std::min(most_columns, width - column);
    for (std::int64_t row = 0; row < out; row += most_rows) {
      multiply(backend, args, {row, std::min(most_rows, out - row), column, columns},
               row == 0 ? args.beta : 1.0f);
    }
  }
}

// Whether tensor cores take the weight as it lies: what they would round it to is what it is.
bool goes_unchanged(const Backend& backend, const PackedMatmulArgs& args, std::int64_t room) {
  return args.w.dtype == DType::kBf16 && backend.info().products == ProductPrecision::kBf16 &&
         2 * room >= args.x.cols();
}

// x is rounded into the workspace, as many rows at a time as it has room for.
void unchanged(Backend& backend, const PackedMatmulArgs& args, std::int64_t room) {
  const std::int64_t width = args.x.cols();
  const std::int64_t most = 2 * room / width;
  auto* const rounded = reinterpret_cast<Bf16Bits*>(args.workspace.f32());
  for (std::int64_t row = 0; row < args.x.rows(); row += most) {
    const std::int64_t rows = std::min(most, args.x.rows() - row);
    const float* const x = args.x.f32() + row * width;
    const bool fours = aligned_to(16, x) && aligned_to(8, rounded);
    const KernelCall call{
        .op = "packed_matmul",
        .grid = strided_blocks(fours ? (rows * width + 3) / 4 : rows * width, kBlockThreads),
        .block = kBlockThreads};
    launch(backend, call, fours ? round_kernel<4> : round_kernel<1>, x, rounded, rows * width);
    gpu(backend).gemm({.a = rounded,
                       .b = args.w.data,
                       .c = args.y.f32() + row * args.y.cols(),
                       .m = rows,
                       .n = args.y.cols(),
                       .k = width,
                       .lda = width,
                       .ldb = args.w.cols(),
                       .ldc = args.y.cols(),
                       .transpose_b = args.transpose_w,
                       .factors = DType::kBf16,
                       .beta = args.beta});
  }
}

}  // namespace

void packed_group(Backend& backend, const PackedGroupArgs& args) {
  const auto multiply_few = [&backend](TensorRef x, TensorRef w, TensorRef y) {
    if (y.elements() > 0) {
      few_rows(backend, {.x = x, .w = w, .y = y, .workspace = {}});
    }
  };
  for (std::int64_t i = 0; i < args.count; ++i) {
    const PackedProduct& product = args.products[static_cast<std::size_t>(i)];
    if (product.second.defined()) {
      multiply_few(args.x, product.first, product.hidden);
      multiply_few(product.hidden, product.second, product.y);
    } else {
      multiply_few(args.x, product.first, product.y);
    }
  }
}

void packed_matmul(Backend& backend, const PackedMatmulArgs& args) {
  if (args.y.elements() == 0) {
    return;
  }
  if (args.transpose_w && args.x.rows() <= kPackedFewRows) {
    few_rows(backend, args);
    return;
  }
  // Not all of the workspace that was given: how a sum is cut depends on the shapes alone.
  const std::int64_t room = packed_matmul_workspace_elements(
      args.w, args.x.rows(), args.transpose_w, backend.parallelism());
  CHECK(args.workspace.elements() >= room, "packed_matmul: the workspace is too small");
  if (goes_unchanged(backend, args, room)) {
    unchanged(backend, args, room);
  } else if (args.transpose_w) {
    many_rows(backend, args, room);
  } else {
    input_gradient(backend, args, room);
  }
}

}  // namespace lathe::LATHE_GPU
