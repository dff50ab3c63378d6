// What VeLoRA's projections keep of inputs and gradients, slot by slot.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/nn/transformer.h"
#include "engine/train/batch_feed.h"
#include "engine/train/trainer.h"

namespace lathe {

// Forward and backward on the batch, with the exact gradients beside those of projections. Adds to
// the gradients of the model's parameters, which are for the caller to drop; waits for the device.
std::vector<SubtokenProbe> probe_subtokens(Backend& backend, Transformer& model,
                                           const TrainBatch& batch, std::int64_t logit_chunk);

}  // namespace lathe
