// Prefill in pieces, then one position at a time.
#include "engine/lm/generator.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace lathe {
namespace {

// Positions that go through the model at once: enough for full speed, bounded in memory.
constexpr std::int64_t kPrefillPiece = 512;

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

double per_second(std::int64_t count, double seconds) {
  return seconds > 0.0 ? double(count) / seconds : 0.0;
}

}  // namespace

std::string_view stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kStopId:
      return "stop token";
    case StopReason::kMaxTokens:
      return "token limit";
    case StopReason::kContextFull:
      return "context full";
    case StopReason::kCancelled:
      return "cancelled";
  }
  return "?";
}

double GenerateResult::prefill_tokens_per_second() const {
  return per_second(prompt_tokens, prefill_seconds);
}

double GenerateResult::decode_tokens_per_second() const {
  return per_second(decode_steps, decode_seconds);
}

Generator::Generator(Backend& backend, Transformer& model, const ModelConfig& config,
                     std::int64_t context)
    : backend_(backend),
      model_(model),
      vocab_size_(config.vocab_size),
      cache_(backend, config, context),
      logits_(static_cast<std::size_t>(config.vocab_size)) {}

std::string Generator::request_error(const GenerateRequest& request) const {
  if (request.prompt.empty()) {
    return "the prompt has no token: give at least one, such as the model's begin token";
  }
  const auto inside = [this](std::int32_t id) { return id >= 0 && id < vocab_size_; };
  const auto outside = std::find_if_not(request.prompt.begin(), request.prompt.end(), inside);
  if (outside != request.prompt.end()) {
    return "the prompt has the id " + std::to_string(*outside) + " beyond the vocabulary of " +
           std::to_string(vocab_size_) + ": use the model's own tokenizer";
  }
  const auto length = static_cast<std::int64_t>(request.prompt.size());
  if (length > context()) {
    return "the prompt's " + std::to_string(length) + " tokens are more than the context of " +
           std::to_string(context()) + ": shorten it or ask for a longer context";
  }
  if (request.max_tokens < 0) {
    return "max_tokens=" + std::to_string(request.max_tokens) + " is negative: choose 0 or more";
  }
  return sampling_error(request.sampling);
}

void Generator::advance(const std::int32_t* ids, std::int64_t count) {
  const Tensor logits = workspace(backend_, "head", "logits", Shape{1, vocab_size_});
  for (std::int64_t first = 0; first < count; first += kPrefillPiece) {
    const std::int64_t piece = std::min(kPrefillPiece, count - first);
    const Tensor in = workspace(backend_, "embedding", "ids", Shape{piece}, DType::kI32);
    backend_.write(in, ids + first, in.ref().bytes());
    model_.infer(in, cache_, logits);
  }
  backend_.read(logits, logits_.data(), logits.ref().bytes());
}

Result<StopReason> Generator::decode(const GenerateRequest& request, const TokenListener& listener,
                                     GenerateResult& result) {
  Sampler sampler(request.sampling);
  while (static_cast<std::int64_t>(result.ids.size()) < request.max_tokens) {
    const std::optional<std::int32_t> id = sampler.draw(logits_);
    if (!id) {
      return Error{ErrorKind::kData,
                   "the model's logits are not finite after " + std::to_string(cache_.length()) +
                       " positions",
                   "its weights are damaged or overflow: check the file's hash, or read it as f32"};
    }
    if (std::find(request.stop_ids.begin(), request.stop_ids.end(), *id) !=
        request.stop_ids.end()) {
      return StopReason::kStopId;
    }
    result.ids.push_back(*id);
    if (listener && !listener(*id)) {
      return StopReason::kCancelled;
    }
    if (static_cast<std::int64_t>(result.ids.size()) == request.max_tokens) {
      break;
    }
    if (cache_.length() == context()) {
      return StopReason::kContextFull;
    }
    const Stopwatch watch;
    advance(&*id, 1);
    result.decode_seconds += watch.seconds();
    ++result.decode_steps;
  }
  return StopReason::kMaxTokens;
}

Result<GenerateResult> Generator::generate(const GenerateRequest& request,
                                           const TokenListener& listener) {
  const std::string wrong = request_error(request);
  if (!wrong.empty()) {
    return Error{ErrorKind::kUsage, wrong, ""};
  }
  GenerateResult result;
  result.prompt_tokens = static_cast<std::int64_t>(request.prompt.size());
  cache_.truncate(0);
  const Stopwatch watch;
  advance(request.prompt.data(), result.prompt_tokens);
  result.prefill_seconds = watch.seconds();
  const Result<StopReason> reason = decode(request, listener, result);
  if (!reason) {
    return reason.error();
  }
  result.reason = *reason;
  return result;
}

}  // namespace lathe
