// LoftQ (arXiv 2310.08659, algorithm 1): a weight as one of few bits and a pair of narrow factors
// beside it that are found together, so that fine-tuning begins closer to the weight as it was than
// rounding alone leaves it.
#pragma once

#include <cstdint>
#include <span>

#include "engine/methods/quant/rounded_weight.h"
#include "engine/nn/factor_init.h"

namespace lathe {

struct LoftqOptions {
  std::int64_t rank = 0;    // of the factors; 0: LoftQ is not wanted
  std::int64_t rounds = 5;  // at most
};

struct LoftqWeight {
  RoundedWeight rounded;  // its error: what Q and the factors together are off by, on white inputs
  FactorPair factors;     // W is about Q + B A
  std::int64_t rounds = 0;  // that were worth it
};

// weight [out, in]. Rounds of Q = nearest(W - B A), then B A = the best rank-r part of W - Q, as
// long as ||W - Q - B A|| falls. Precondition: can_encode_matrix(type), fits_type(), 1 <= rank <=
// the smaller side.
LoftqWeight round_loftq(StoredType type, std::span<const float> weight, std::int64_t out,
                        std::int64_t in, const LoftqOptions& options);

}  // namespace lathe
