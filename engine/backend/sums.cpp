// See sums.h.
#include "engine/backend/sums.h"

namespace lathe {

Tensor make_sums(Backend& backend, const std::string& layer, const std::string& name,
                 std::int64_t count) {
  Tensor sums(backend.allocator(), DType::kF64, Shape{count},
              Tag{Category::kWorkspace, layer, name});
  clear_sums(backend, sums);
  return sums;
}

// A double of 0 has the bits of two floats of 0.
void clear_sums(Backend& backend, TensorRef sums) {
  CHECK(sums.dtype == DType::kF64, "sums are f64");
  ops::fill(backend, {.out = {sums.data, DType::kF32, Shape{2 * sums.elements()}}, .value = 0.0f});
}

TensorRef sums_at(TensorRef sums, std::int64_t first, std::int64_t count) {
  return sums.reshaped(Shape{sums.elements(), 1}).row_range(first, count).reshaped(Shape{count});
}

std::vector<double> read_sums(Backend& backend, TensorRef sums) {
  CHECK(sums.dtype == DType::kF64, "sums are f64");
  std::vector<double> values(static_cast<std::size_t>(sums.elements()));
  backend.read(sums, values.data(), sums.bytes());
  return values;
}

CrossEntropySums read_cross_entropy(Backend& backend, TensorRef sums) {
  const std::vector<double> values = read_sums(backend, sums);
  CHECK(values.size() == kCrossEntropySums, "these are the sums of cross_entropy");
  return {.loss = values[0],
          .correct = static_cast<std::int64_t>(values[1]),
          .counted = static_cast<std::int64_t>(values[2])};
}

}  // namespace lathe
