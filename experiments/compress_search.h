// The search that evaluates: how small a model may become before its perplexity has risen by more
// than is allowed. (At one per cent, over ranks, it is the statistic of LoRD, arXiv 2309.14021.)
#pragma once

#include <functional>

#include "engine/base/result.h"

namespace lathe::experiments {

// What a share of the size costs: perplexity / that of the dense model - 1. Infinite for shares
// that cannot be had.
using RiseOf = std::function<Result<double>(double share)>;

// The least share, to about 0.003, at which rise_of(share) is no more than `max_rise`, where it
// falls with the share: steps of growing length down from 1, then halvings; some ten calls. Errors
// are those of rise_of; kFailed where the largest share tried rises above it too.
Result<double> least_share(double max_rise, const RiseOf& rise_of);

}  // namespace lathe::experiments
