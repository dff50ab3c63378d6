// See prune_state.h.
#include "engine/optim/prune_state.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <span>
#include <vector>

#include "engine/quant/dynamic_map.h"

namespace lathe {
namespace {

std::vector<std::byte> bytes_of(Backend& backend, TensorRef tensor) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(tensor.bytes()));
  backend.read(tensor, bytes.data(), tensor.bytes());
  return bytes;
}

std::vector<float> floats_of(Backend& backend, TensorRef tensor) {
  std::vector<float> floats(static_cast<std::size_t>(tensor.elements()));
  backend.read(tensor, floats.data(), tensor.bytes());
  return floats;
}

// The size of each element of a first moment.
std::vector<float> sizes_of(Backend& backend, const MomentRef& m) {
  std::vector<float> sizes;
  if (m.values.dtype == DType::kU8) {
    const std::vector<float> absmax = floats_of(backend, m.absmax);
    for (const std::byte code : bytes_of(backend, m.values)) {
      const auto block = sizes.size() / static_cast<std::size_t>(kMomentBlock);
      sizes.push_back(absmax[block] *
                      dynamic_value(DynamicMap::kSigned, std::to_integer<int>(code)));
    }
  } else {
    sizes = floats_of(backend, m.values);
  }
  for (float& size : sizes) {
    size = std::fabs(size);
  }
  return sizes;
}

// The elements become what stands for 0.
void clear(Backend& backend, const MomentRef& moment, DynamicMap map,
           std::span<const std::size_t> elements) {
  std::vector<std::byte> bytes = bytes_of(backend, moment.values);
  const bool coded = moment.values.dtype == DType::kU8;
  const std::size_t width = coded ? 1 : sizeof(float);
  for (const std::size_t i : elements) {
    std::memset(&bytes[i * width], coded ? zero_code(map) : 0, width);
  }
  backend.write(moment.values, bytes.data(), moment.values.bytes());
}

}  // namespace

void prune_state(Backend& backend, const MomentRef& m, const MomentRef& v, double share) {
  if (!backend.computes()) {
    return;
  }
  const std::vector<float> sizes = sizes_of(backend, m);
  const auto pruned = static_cast<std::size_t>(share * static_cast<double>(sizes.size()));
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto smaller = [&](std::size_t a, std::size_t b) {
    return sizes[a] != sizes[b] ? sizes[a] < sizes[b] : a < b;
  };
  std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(pruned), order.end(),
                   smaller);
  clear(backend, m, DynamicMap::kSigned, {order.data(), pruned});
  clear(backend, v, DynamicMap::kUnsigned, {order.data(), pruned});
}

}  // namespace lathe
