// The greedy allocator behind RankRule::kBudget.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/base/result.h"
#include "engine/methods/lord/ranks.h"

namespace lathe {

// The least rank that the options allow a layer, in whole multiples; 0 where they keep it dense.
std::int64_t least_rank(const RankLayer& layer, const RankOptions& options);

// A rank per layer, 0 for dense, whose parameters fit the budget. Error (kUsage) where even the
// least ranks do not.
Result<std::vector<std::int64_t>> spend_budget(std::span<const RankLayer> layers,
                                               const RankOptions& options);

}  // namespace lathe
