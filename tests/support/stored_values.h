// Values through a stored type and back.
#pragma once

#include <cstddef>
#include <vector>

#include "engine/quant/block_codec.h"

namespace lathe::test {

// What a reader gets of what the writer stored.
inline std::vector<float> round_trip(StoredType type, const std::vector<float>& values) {
  const auto count = static_cast<std::int64_t>(values.size());
  std::vector<std::byte> stored(static_cast<std::size_t>(stored_bytes(type, count)));
  encode_row(type, values.data(), stored.data(), count);
  std::vector<float> back(values.size());
  decode_row(type, stored.data(), back.data(), count);
  return back;
}

inline double squared_error(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    sum += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
  }
  return sum;
}

}  // namespace lathe::test
