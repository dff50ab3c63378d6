// A corpus in memory for tests: any tokens, no files.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/rng.h"
#include "engine/data/token_source.h"

namespace lathe::test {

class MemoryTokens final : public TokenSource {
 public:
  MemoryTokens(std::vector<std::int32_t> tokens, std::int64_t vocab_size)
      : tokens_(std::move(tokens)) {
    info_.vocab_size = vocab_size;
    info_.train_tokens = static_cast<std::int64_t>(tokens_.size());
    info_.heldout_tokens = info_.train_tokens;
    info_.digest = "memory";
  }
  const CorpusInfo& info() const override { return info_; }
  std::span<const std::int32_t> tokens(Split) const override { return tokens_; }
  std::string decode(std::span<const std::int32_t>) const override { return ""; }

 private:
  CorpusInfo info_;
  std::vector<std::int32_t> tokens_;
};

// A stream that a model can learn: each token follows from the one before, with some noise.
inline std::shared_ptr<const TokenSource> learnable_tokens(std::int64_t vocab_size,
                                                           std::int64_t count) {
  Rng rng(7, 7);
  std::vector<std::int32_t> tokens;
  std::int64_t token = 1;
  for (std::int64_t i = 0; i < count; ++i) {
    tokens.push_back(static_cast<std::int32_t>(token));
    const bool noise = rng.next_below(10) == 0;
    token = noise
                ? static_cast<std::int64_t>(rng.next_below(static_cast<std::uint64_t>(vocab_size)))
                : (token * 5 + 3) % vocab_size;
  }
  return std::make_shared<MemoryTokens>(std::move(tokens), vocab_size);
}

}  // namespace lathe::test
