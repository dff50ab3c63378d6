// Independent items on all cores, for the preparation of a corpus. Which worker takes which item is
// left to chance, so results must be kept by item.
#pragma once

#include <cstddef>
#include <functional>

namespace lathe {

// At least 1.
std::size_t worker_count();

// Calls work(worker, item) for each item below `count`; worker < worker_count(), and worker 0 is
// the calling thread. Returns when all are done; an exception of `work` ends the others early and
// is thrown on.
void for_each_parallel(std::size_t count,
                       const std::function<void(std::size_t worker, std::size_t item)>& work);

}  // namespace lathe
