// Sums that ops leave on the device as f64: made, zeroed and read back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/backend/backend.h"

namespace lathe {

// Zeroed places for `count` sums.
Tensor make_sums(Backend& backend, const std::string& layer, const std::string& name,
                 std::int64_t count = kCrossEntropySums);
void clear_sums(Backend& backend, TensorRef sums);

// Sums [first, first + count) of a tensor.
TensorRef sums_at(TensorRef sums, std::int64_t first, std::int64_t count);

// Waits for the device.
std::vector<double> read_sums(Backend& backend, TensorRef sums);
CrossEntropySums read_cross_entropy(Backend& backend, TensorRef sums);

}  // namespace lathe
