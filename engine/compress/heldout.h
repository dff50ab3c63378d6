// The loss of a model on held-out text, before and after it is made smaller.
#pragma once

#include <cstdint>

#include "engine/backend/backend.h"
#include "engine/compress/decomposition.h"
#include "engine/data/token_source.h"
#include "engine/io/model_file.h"

namespace lathe {

struct HeldoutLoss {
  double loss = 0;  // mean nats per predicted token
  double perplexity = 0;
  double accuracy = 0;      // share of tokens that are the model's first choice
  std::int64_t tokens = 0;  // predicted
};

// On `windows` pieces of `length` tokens, spread evenly over the held-out part. kData where it has
// less than one, kDiverged for a loss that is not finite. Throws OutOfMemory.
Result<HeldoutLoss> heldout_loss(Backend& backend, const ModelFile& model, const TokenSource& text,
                                 std::int64_t length, std::int64_t windows,
                                 const CompressProgress& progress);

}  // namespace lathe
