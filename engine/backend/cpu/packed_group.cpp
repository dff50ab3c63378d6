// Products with stored weights side by side: the threads are started once, share all rows of all
// weights, meet once where factors are among them, and share the rows of the second ones.
#include <omp.h>

#include <algorithm>

#include "engine/backend/cpu/cpu_backend.h"
#include "engine/backend/cpu/packed_rows.h"
#include "engine/backend/cpu/parallel.h"

namespace lathe::cpu {
namespace {

// Products that can be computed at the same time.
struct Stage {
  std::array<PackedMatmulArgs, 3> products = {};
  std::size_t count = 0;
  std::int64_t elements = 0;  // of all weights

  void add(TensorRef x, TensorRef w, TensorRef y) {
    products[count++] = {.x = x, .w = w, .y = y, .workspace = {}};
    elements += w.elements();
  }

  // Part `part` of `parts`: neighbouring rows, of equally many elements in all.
  void multiply(std::int64_t part, std::int64_t parts) const {
    const std::int64_t begin = elements * part / parts;
    const std::int64_t end = elements * (part + 1) / parts;
    std::int64_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const TensorRef& w = products[i].w;
      const auto row_from = [&](std::int64_t element) {
        const std::int64_t within = std::clamp<std::int64_t>(element - at, 0, w.elements());
        return (within + w.cols() - 1) / w.cols();
      };
      const std::int64_t last = row_from(end);
      for (std::int64_t row = row_from(begin); row < last; row += kRowsTogether) {
        multiply_rows(products[i], row, std::min(kRowsTogether, last - row));
      }
      at += w.elements();
    }
  }
};

}  // namespace

void packed_group(Backend& backend, const PackedGroupArgs& args) {
  if (args.x.rows() == 0) {
    return;
  }
  Stage first;
  Stage second;
  for (std::int64_t i = 0; i < args.count; ++i) {
    const PackedProduct& product = args.products[static_cast<std::size_t>(i)];
    const bool factored = product.second.defined();
    first.add(args.x, product.first, factored ? product.hidden : product.y);
    if (factored) {
      second.add(product.hidden, product.second, product.y);
    }
  }
#pragma omp parallel num_threads(backend.parallelism()) if (first.elements + second.elements >= \
                                                            kSerialElements)
  {
    const std::int64_t part = omp_get_thread_num();
    const std::int64_t parts = omp_get_num_threads();
    first.multiply(part, parts);
    if (second.count > 0) {
#pragma omp barrier
      second.multiply(part, parts);
    }
  }
}

}  // namespace lathe::cpu
