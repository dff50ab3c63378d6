// See prune_state.h.
#include "engine/optim/prune_state.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace lathe {

void prune_state(Backend& backend, TensorRef m, TensorRef v, double share) {
  if (!backend.computes()) {
    return;
  }
  const auto elements = static_cast<std::size_t>(m.elements());
  const auto pruned = static_cast<std::size_t>(share * static_cast<double>(elements));
  std::vector<float> first(elements), second(elements);
  backend.read(m, first.data(), m.bytes());
  backend.read(v, second.data(), v.bytes());
  std::vector<std::size_t> order(elements);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto smaller = [&](std::size_t a, std::size_t b) {
    const float left = std::fabs(first[a]);
    const float right = std::fabs(first[b]);
    return left != right ? left < right : a < b;
  };
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(pruned);
  std::nth_element(order.begin(), end, order.end(), smaller);
  std::for_each(order.begin(), end, [&](std::size_t i) { first[i] = second[i] = 0.0f; });
  backend.write(m, first.data(), m.bytes());
  backend.write(v, second.data(), v.bytes());
}

}  // namespace lathe
