// Draws the next token from a row of logits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/rng.h"

namespace lathe {

struct SamplingConfig {
  double temperature = 0.0;  // 0: the most likely token, the first of equals
  std::int64_t top_k = 0;    // of the k most likely; 0: of all
  double top_p = 1.0;  // of the fewest most likely whose chances reach p (Holtzman et al. 2020)
  std::uint64_t seed = 1;
};

// What is wrong with the numbers, naming value and remedy; "" if nothing.
std::string sampling_error(const SamplingConfig& config);

// The n-th draw depends on the seed, n and the logits alone.
class Sampler {
 public:
  // Precondition: sampling_error() is empty.
  explicit Sampler(const SamplingConfig& config);

  // The index drawn; nothing if a logit is not finite. Equal logits rank by index.
  std::optional<std::int32_t> draw(std::span<const float> logits);

 private:
  // A token and its chance relative to the most likely one's.
  using Candidate = std::pair<double, std::int32_t>;
  // Each leaves candidates and returns the sum of their chances.
  double gather(std::span<const float> logits, float top);
  double keep_top_k();
  double keep_top_p(double total);
  double chances() const;

  SamplingConfig config_;
  Rng rng_;
  std::vector<Candidate> candidates_;
};

}  // namespace lathe
