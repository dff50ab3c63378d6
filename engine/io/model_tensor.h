// A weight as a file keeps it, under the name and shape that the model gives it, and how it must be
// turned to become that weight: files of other programs order rows differently, transpose, or keep
// q, k and v as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/quant/stored_type.h"

namespace lathe {

// What a file holds under a name.
struct StoredTensor {
  StoredType type = StoredType::kF32;
  std::vector<std::int64_t> shape;  // slowest extent first
  std::span<const std::byte> bytes;
  bool mapped = false;  // the bytes lie in a mapped file, not in memory of our own
};

enum class Turn : std::uint8_t {
  kNone,
  kPairsToHalves,  // rows of each head: rotary pairs (2i, 2i+1) become (i, i + half)
  kTransposed      // stored [in, out]
};

struct ModelTensor {
  std::string name;                 // "layers.3.attention.q.weight"
  std::vector<std::int64_t> shape;  // as the model wants it, [out, in]
  StoredTensor stored;
  Turn turn = Turn::kNone;
  std::int64_t heads = 1;  // kPairsToHalves
  std::int64_t first = 0;  // row (kTransposed: column) of `stored` where the weight begins

  std::int64_t elements() const;
  // Bytes of its share of the file.
  std::int64_t stored_bytes() const;
};

// Whether the shape and turn can be had from what is stored; empty, or what is wrong.
std::string tensor_error(const ModelTensor& tensor);

// All elements. Precondition for this and the next: tensor_error() is empty.
void read_tensor(const ModelTensor& tensor, float* out);

// Whether the stored form, rows set in order, is the weight: not where it is transposed.
bool has_stored_rows(const ModelTensor& tensor);
// The rows in the stored type, stored_bytes() of them. Precondition: has_stored_rows().
void copy_stored_rows(const ModelTensor& tensor, std::byte* out);
// The stored bytes that are the weight as they lie; empty where rows have to be moved.
std::span<const std::byte> stored_view(const ModelTensor& tensor);

// Of a weight that was copied: lets the pages of a mapped file go, which would only stand beside
// it. They are read again where they are asked for again.
void let_go_of_file(const ModelTensor& tensor);

}  // namespace lathe
