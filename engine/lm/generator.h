// Text generation on token ids: a prompt goes through the model once, then each new token costs one
// position. Tokens are told as they come, and whoever listens can end it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/lm/sampler.h"
#include "engine/nn/transformer.h"

namespace lathe {

struct GenerateRequest {
  std::vector<std::int32_t> prompt;         // at least one id
  std::int64_t max_tokens = 256;            // generated at most
  std::vector<std::int32_t> stop_ids = {};  // end the text; not part of it
  SamplingConfig sampling = {};
};

enum class StopReason : std::uint8_t { kStopId, kMaxTokens, kContextFull, kCancelled };
std::string_view stop_reason_name(StopReason reason);

// Seconds by the machine's clock; everything else follows from the request alone.
struct GenerateResult {
  std::vector<std::int32_t> ids;
  StopReason reason = StopReason::kMaxTokens;
  std::int64_t prompt_tokens = 0;
  double prefill_seconds = 0;  // the prompt, until its last position's logits
  double decode_seconds = 0;   // the steps after it
  std::int64_t decode_steps = 0;

  double prefill_tokens_per_second() const;
  double decode_tokens_per_second() const;
};

// Called with each token of the text as soon as it is drawn; false ends the generation.
using TokenListener = std::function<bool(std::int32_t)>;

// One sequence at a time on a model that outlives it. What comes depends on the request alone, not
// on former ones.
class Generator {
 public:
  // Takes the cache's memory, for `context` positions. Throws OutOfMemory.
  Generator(Backend& backend, Transformer& model, const ModelConfig& config, std::int64_t context);

  std::int64_t context() const { return cache_.capacity(); }

  // kUsage errors: an empty prompt, ids outside the vocabulary, a prompt that fills the context,
  // unusable sampling. kData error: logits that are not finite.
  Result<GenerateResult> generate(const GenerateRequest& request, const TokenListener& listener);

 private:
  std::string request_error(const GenerateRequest& request) const;
  // Gives the model further ids, a piece at a time; logits_ become those of the last.
  void advance(const std::int32_t* ids, std::int64_t count);
  Result<StopReason> decode(const GenerateRequest& request, const TokenListener& listener,
                            GenerateResult& result);

  Backend& backend_;
  Transformer& model_;
  std::int64_t vocab_size_;
  KvCache cache_;
  std::vector<float> logits_;
};

}  // namespace lathe
