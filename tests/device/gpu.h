// The device that the tests labelled `gpu` run on: cuda:0, or LATHE_TEST_DEVICE.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "engine/backend/backend.h"

namespace lathe::test {

// What ctest takes for "skipped".
inline constexpr int kSkipped = 77;

// Null, having said why, where there is none.
inline std::unique_ptr<Backend> gpu_backend(ProductPrecision products = ProductPrecision::kF32) {
  const char* const named = std::getenv("LATHE_TEST_DEVICE");
  auto backend = make_backend(named == nullptr ? "cuda:0" : named, 0, products);
  if (!backend) {
    std::printf("skipped: %s\n", backend.error().text().c_str());
    return nullptr;
  }
  return std::move(*backend);
}

}  // namespace lathe::test
