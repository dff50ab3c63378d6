// Turning stored weights into those of the model.
#include "engine/io/model_tensor.h"

#include <cstring>

#include "engine/base/check.h"
#include "engine/base/mapped_file.h"
#include "engine/quant/block_codec.h"
#include "engine/quant/stored_matrix.h"

namespace lathe {
namespace {

std::int64_t rows_of(const ModelTensor& tensor) {
  return tensor.shape[0];
}

std::int64_t cols_of(const ModelTensor& tensor) {
  return tensor.shape.size() == 2 ? tensor.shape[1] : 1;
}

std::string text(const std::vector<std::int64_t>& shape) {
  std::string out = "[";
  for (const std::int64_t extent : shape) {
    out += (out.size() == 1 ? "" : ", ") + std::to_string(extent);
  }
  return out + "]";
}

// The stored row that becomes `row`.
std::int64_t source_row(const ModelTensor& tensor, std::int64_t row) {
  if (tensor.turn != Turn::kPairsToHalves) {
    return tensor.first + row;
  }
  const std::int64_t width = rows_of(tensor) / tensor.heads;
  const std::int64_t within = row % width;
  const std::int64_t half = width / 2;
  return tensor.first + row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
}

}  // namespace

std::int64_t ModelTensor::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) {
    product *= extent;
  }
  return product;
}

std::int64_t ModelTensor::stored_bytes() const {
  return has_tables(stored.type) ? static_cast<std::int64_t>(stored.bytes.size())
                                 : lathe::stored_bytes(stored.type, elements());
}

std::string tensor_error(const ModelTensor& tensor) {
  const std::string what = "has the shape " + text(tensor.stored.shape) + " where " + tensor.name +
                           " " + text(tensor.shape) + " is wanted";
  const bool turned = tensor.turn == Turn::kTransposed;
  const std::size_t rank = tensor.shape.size();
  if (rank == 0 || rank > 2 || tensor.stored.shape.size() != rank || (turned && rank != 2)) {
    return what;
  }
  const std::size_t cut = turned ? 1 : 0;  // the axis that `first` counts
  const std::int64_t wanted = tensor.shape[0];
  if (tensor.first < 0 || tensor.stored.shape[cut] < wanted ||
      tensor.first > tensor.stored.shape[cut] - wanted ||
      (rank == 2 && tensor.stored.shape[1 - cut] != tensor.shape[1])) {
    return what;
  }
  if (has_tables(tensor.stored.type) &&
      (tensor.turn != Turn::kNone || tensor.stored.shape != tensor.shape)) {
    return "is stored with tables that all its rows share, which cannot be turned into " +
           tensor.name;
  }
  const std::int64_t block = info_of(tensor.stored.type).block_elements;
  if (block != 1 && (turned || tensor.stored.shape.back() % block != 0)) {
    return "is stored in blocks that cannot be turned into " + tensor.name;
  }
  if (block != 1 && rank == 1 && tensor.stored.shape[0] != wanted) {
    return "is stored in blocks that " + tensor.name + " would cut";
  }
  if (tensor.turn == Turn::kPairsToHalves &&
      (tensor.heads <= 0 || wanted % (2 * tensor.heads) != 0)) {
    return "has rows that are not pairs of " + std::to_string(tensor.heads) + " heads";
  }
  return "";
}

bool has_stored_rows(const ModelTensor& tensor) {
  return tensor.turn != Turn::kTransposed;
}

std::span<const std::byte> stored_view(const ModelTensor& tensor) {
  if (tensor.turn != Turn::kNone) {
    return {};
  }
  if (has_tables(tensor.stored.type)) {
    return tensor.stored.bytes;
  }
  const auto begin =
      static_cast<std::size_t>(stored_bytes(tensor.stored.type, tensor.first * cols_of(tensor)));
  return tensor.stored.bytes.subspan(begin, static_cast<std::size_t>(tensor.stored_bytes()));
}

void copy_stored_rows(const ModelTensor& tensor, std::byte* out) {
  CHECK(has_stored_rows(tensor), "a transposed tensor has no stored rows");
  const auto row_bytes =
      static_cast<std::size_t>(stored_bytes(tensor.stored.type, cols_of(tensor)));
  if (tensor.turn == Turn::kNone) {
    const std::span<const std::byte> view = stored_view(tensor);
    std::memcpy(out, view.data(), view.size());
    return;
  }
  for (std::int64_t row = 0; row < rows_of(tensor); ++row) {
    const auto from = static_cast<std::size_t>(source_row(tensor, row)) * row_bytes;
    std::memcpy(out + static_cast<std::size_t>(row) * row_bytes, tensor.stored.bytes.data() + from,
                row_bytes);
  }
}

void read_tensor(const ModelTensor& tensor, float* out) {
  if (has_tables(tensor.stored.type)) {
    decode_matrix(stored_matrix(tensor.stored.type, tensor.stored.bytes.data(), rows_of(tensor),
                                cols_of(tensor)),
                  out);
    return;
  }
  if (tensor.turn == Turn::kNone) {
    decode_row(tensor.stored.type, stored_view(tensor).data(), out, tensor.elements());
    return;
  }
  const bool transposed = tensor.turn == Turn::kTransposed;
  const std::int64_t stored_cols = transposed ? tensor.stored.shape[1] : cols_of(tensor);
  const auto row_bytes = static_cast<std::size_t>(stored_bytes(tensor.stored.type, stored_cols));
  if (!transposed) {
    for (std::int64_t row = 0; row < rows_of(tensor); ++row) {
      const auto from = static_cast<std::size_t>(source_row(tensor, row)) * row_bytes;
      decode_row(tensor.stored.type, tensor.stored.bytes.data() + from, out + row * stored_cols,
                 stored_cols);
    }
    return;
  }
  std::vector<float> line(static_cast<std::size_t>(stored_cols));
  for (std::int64_t col = 0; col < cols_of(tensor); ++col) {
    decode_row(tensor.stored.type,
               tensor.stored.bytes.data() + static_cast<std::size_t>(col) * row_bytes, line.data(),
               stored_cols);
    for (std::int64_t row = 0; row < rows_of(tensor); ++row) {
      out[row * cols_of(tensor) + col] = line[static_cast<std::size_t>(tensor.first + row)];
    }
  }
}

void let_go_of_file(const ModelTensor& tensor) {
  if (tensor.stored.mapped) {
    let_go_of_pages(tensor.stored.bytes);
  }
}

}  // namespace lathe
