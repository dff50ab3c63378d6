// Perplexity by the two rules in use. They give different numbers for one model and one text, so a
// report names its rule, window and tokens, and no number goes without them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/eval/eval_model.h"

namespace lathe {

// The longest window that ppl takes unasked: that of the literature.
inline constexpr std::int64_t kUsualWindow = 2048;

// Rule "windows" (GPTQ's code, and most papers on compression): the text is one stream, cut into
// floor(tokens / window) windows that do not overlap, the rest dropped; within a window every token
// but the first is predicted.
struct WindowPerplexity {
  double perplexity = 0;
  double nll = 0;           // mean nats per scored token
  std::int64_t window = 0;  // tokens
  std::int64_t windows = 0;
  std::int64_t tokens = 0;       // scored
  std::int64_t text_tokens = 0;  // of the whole text, dropped ones included
};

// window 0: the model's context, at most kUsualWindow. `limit` windows at most
// (0: all). kUsage for a window that the model cannot see, kData for a text of less than a window.
Result<WindowPerplexity> window_perplexity(const EvalModel& model, std::string_view text,
                                           std::int64_t window, std::int64_t limit,
                                           const EvalProgress& progress);

// Rule "rolling" (lm-evaluation-harness' loglikelihood_rolling): every document apart, every token
// predicted once, the first from the prefix token; windows of the model's context, the last one
// reaching back so that it is full.
struct RollingPerplexity {
  double word_perplexity = 0;  // exp(nll sum / words)
  double byte_perplexity = 0;  // exp(nll sum / bytes)
  double bits_per_byte = 0;
  double token_perplexity = 0;
  std::int64_t window = 0;
  std::int64_t documents = 0;
  std::int64_t tokens = 0;            // all of them scored
  std::int64_t words = 0, bytes = 0;  // of the original texts
};

// A document as it is read by the model, and the original by whose words and bytes is divided.
struct RollingDocument {
  std::string text;
  std::string original;
};

// window 0: the model's context.
Result<RollingPerplexity> rolling_perplexity(const EvalModel& model,
                                             std::span<const RollingDocument> documents,
                                             std::int64_t window, const EvalProgress& progress);

}  // namespace lathe
