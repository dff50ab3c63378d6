// Products with stored weights. Few rows of x: each row of the weight is read once, as it is. Many:
// a thread decodes a panel of the weight and multiplies it by oneDNN's sgemm on that thread alone,
// so that bits do not depend on the number of threads.
#include <dnnl.h>

#include <algorithm>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/packed_rows.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {
namespace {

void few_rows(Backend& backend, const PackedMatmulArgs& args) {
  const std::int64_t out = args.w.rows();
  const std::int64_t pieces = (out + kRowsTogether - 1) / kRowsTogether;
  parallel_items(backend.parallelism(), pieces, args.w.elements(), [&](std::int64_t piece) {
    const std::int64_t first = piece * kRowsTogether;
    multiply_rows(args, first, std::min(kRowsTogether, out - first));
  });
}

// A panel of the weight, decoded: rows [row, row + rows), columns [column, column + columns).
struct Panel {
  std::int64_t row, rows, column, columns;
};

void decode_panel(const TensorRef& w, const Panel& panel, float* to) {
  for (std::int64_t i = 0; i < panel.rows; ++i) {
    decode_columns(w, panel.row + i, panel.column, to + i * panel.columns, panel.columns);
  }
}

// The product of what `panel` holds, in `weights`, with the part of x that meets it.
void multiply(const PackedMatmulArgs& args, const Panel& panel, const float* weights, float beta) {
  const bool forward = args.transpose_w;
  const float* x = args.x.f32() + (forward ? panel.column : panel.row);
  float* y = args.y.f32() + (forward ? panel.row : panel.column);
  const dnnl_status_t status =
      dnnl_sgemm('N', forward ? 'T' : 'N', args.x.rows(), forward ? panel.rows : panel.columns,
                 forward ? panel.columns : panel.rows, 1.0f, x, args.x.cols(), weights,
                 panel.columns, beta, y, args.y.cols());
  CHECK(status == dnnl_success, "packed_matmul: oneDNN refused the product");
}

// body(index, scratch of the thread) for each panel.
template <typename Body>
void for_panels(Backend& backend, const PackedMatmulArgs& args, std::int64_t panels,
                std::int64_t panel_elements, const Body& body) {
  CHECK(args.workspace.elements() >= backend.parallelism() * panel_elements,
        "packed_matmul: the workspace is too small");
#pragma omp parallel for num_threads(backend.parallelism()) schedule(dynamic, 1)
  for (std::int64_t index = 0; index < panels; ++index) {
    body(index, args.workspace.f32() + omp_get_thread_num() * panel_elements);
  }
}

void many_rows(Backend& backend, const PackedMatmulArgs& args) {
  const std::int64_t width = args.w.cols();
  const std::int64_t out = args.w.rows();
  const std::int64_t most = std::min(kPanelRows, out);
  for_panels(backend, args, (out + kPanelRows - 1) / kPanelRows, most * width,
             [&](std::int64_t index, float* scratch) {
               const std::int64_t first = index * kPanelRows;
               const Panel panel{first, std::min(kPanelRows, out - first), 0, width};
               decode_panel(args.w, panel, scratch);
               multiply(args, panel, scratch, args.beta);
             });
}

// A thread owns columns of y and sums over the rows of the weight in their order.
void input_gradient(Backend& backend, const PackedMatmulArgs& args) {
  const std::int64_t width = args.w.cols();
  const std::int64_t out = args.w.rows();
  const std::int64_t panel_width = panel_columns(args.w.dtype);
  const std::int64_t most = std::min(kPanelRows, out) * std::min(panel_width, width);
  for_panels(backend, args, (width + panel_width - 1) / panel_width, most,
             [&](std::int64_t index, float* scratch) {
               const std::int64_t column = index * panel_width;
               const std::int64_t columns = std::min(panel_width, width - column);
               for (std::int64_t row = 0; row < out; row += kPanelRows) {
                 const Panel panel{row, std::min(kPanelRows, out - row), column, columns};
                 decode_panel(args.w, panel, scratch);
                 multiply(args, panel, scratch, row == 0 ? args.beta : 1.0f);
               }
             });
}

}  // namespace

void packed_matmul(Backend& backend, const PackedMatmulArgs& args) {
  if (args.y.elements() == 0) {
    return;
  }
  if (!args.transpose_w) {
    input_gradient(backend, args);
  } else if (args.x.rows() <= kPackedFewRows) {
    few_rows(backend, args);
  } else {
    many_rows(backend, args);
  }
}

}  // namespace lathe::cpu
