// A shared counter of items; futures bring the workers' exceptions home.
#include "engine/data/parallel.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace lathe {

std::size_t worker_count() {
  return std::max(1U, std::thread::hardware_concurrency());
}

void for_each_parallel(std::size_t count,
                       const std::function<void(std::size_t, std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  const auto run = [&](std::size_t worker) {
    try {
      for (std::size_t item = next++; item < count; item = next++) {
        work(worker, item);
      }
    } catch (...) {
      next = count;
      throw;
    }
  };
  // The destructors of these futures wait, also while an exception of worker 0 passes.
  std::vector<std::future<void>> others;
  for (std::size_t worker = 1; worker < std::min(worker_count(), count); ++worker) {
    others.push_back(std::async(std::launch::async, run, worker));
  }
  run(0);
  for (std::future<void>& other : others) {
    other.get();
  }
}

}  // namespace lathe
