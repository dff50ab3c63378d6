// sum_squares.
#include "engine/backend/cuda/device/sum_squares.cuh"

#include "engine/backend/cuda/ops.h"
#include "engine/backend/cuda/tensor_list.h"

namespace lathe::LATHE_GPU {
namespace {

// Scratch: the table, then the pieces' sums.
constexpr std::size_t kMostTensors = 1024;
constexpr std::int64_t kTableBytes = kMostTensors * sizeof(SquaresEntry);
constexpr std::int64_t kMostPieces =
    (GpuBackend::kScratchBytes - kTableBytes) / std::int64_t{sizeof(double)};
constexpr std::int64_t kLeastElements = 8192;
constexpr std::size_t kReduceBytes = kWarpThreads * sizeof(double);

// Pieces of so many elements number at most kMostPieces, whatever the tensors' sizes.
std::int64_t piece_elements(std::span<const TensorRef> tensors) {
  std::int64_t elements = 0;
  for (const TensorRef& x : tensors) {
    elements += x.elements();
  }
  const std::int64_t pieces = kMostPieces - static_cast<std::int64_t>(kMostTensors);
  const std::int64_t needed = (elements + pieces - 1) / pieces;
  return std::max(kLeastElements, (needed + 3) / 4 * 4);
}

void sum_range(Backend& backend, std::span<const TensorRef> tensors, double* sums) {
  const std::int64_t piece = piece_elements(tensors);
  std::vector<SquaresEntry> entries;
  std::int64_t pieces = 0;
  for (const TensorRef& x : tensors) {
    entries.push_back({x.f32(), x.elements(), pieces});
    pieces += (x.elements() + piece - 1) / piece;
  }
  const SquaresEntry* const table = upload_table(backend, entries);
  auto* const partial =
      reinterpret_cast<double*>(static_cast<char*>(gpu(backend).scratch()) + kTableBytes);
  const auto count = static_cast<int>(entries.size());
  const KernelCall each{.op = "sum_squares",
                        .grid = blocks_for(pieces, 1),
                        .block = kBlockThreads,
                        .shared_bytes = kReduceBytes};
  launch(backend, each, square_pieces_kernel, table, count, piece, partial);
  const KernelCall of_tensors{.op = "sum_squares",
                              .grid = blocks_for(count, kBlockThreads / kWarpThreads),
                              .block = kBlockThreads};
  launch(backend, of_tensors, tensor_sums_kernel, table, count, piece, partial, sums);
}

}  // namespace

void sum_squares(Backend& backend, const SumSquaresArgs& args) {
  double* const sums = args.sums.f64();
  for_table_ranges(args.x.size(), kMostTensors, [&](std::size_t first, std::size_t count) {
    sum_range(backend, args.x.subspan(first, count), sums + first);
  });
  const KernelCall last{
      .op = "sum_squares", .grid = 1, .block = kBlockThreads, .shared_bytes = kReduceBytes};
  launch(backend, last, add_up_kernel, sums, static_cast<std::int64_t>(args.x.size()),
         args.total.f64());
}

}  // namespace lathe::LATHE_GPU
