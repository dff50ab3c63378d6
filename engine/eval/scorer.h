// Log-likelihoods of token sequences under a model: the one measurement behind perplexity, multiple
// choice and classification. Sequences are batched by length; a logit that is not finite is an
// error that names its place, never a number left out.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/eval/eval_model.h"

namespace lathe {

// A sequence, and from where on it is scored.
struct ScoreRequest {
  std::vector<std::int32_t> ids;
  std::int64_t first_scored =
      1;              // ids[first_scored..] are predicted, each from all before it; >= 1
  std::string place;  // "item 12, choice 2": where the ids come from, for messages
};

struct SequenceScore {
  double log_likelihood = 0;  // nats, summed over the scored tokens
  std::int64_t tokens = 0;    // scored
  bool greedy = false;        // every scored token was the most likely one
};

// The scores, in the order of the requests. What does not fit the context is cut from the left, as
// lm-evaluation-harness does; the scored part itself must fit. Errors: kData for a sequence that
// cannot be scored, kDiverged for logits that are not finite, kInterrupted if `progress` says so
// (it counts requests). Throws OutOfMemory.
Result<std::vector<SequenceScore>> score_sequences(const EvalModel& model,
                                                   std::span<const ScoreRequest> requests,
                                                   const EvalProgress& progress);

}  // namespace lathe
