// Temperature, then top-k, then top-p, then one draw.
#include "engine/lm/sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lathe {
namespace {

// Keeps draws apart from whatever else uses a run's seed.
constexpr std::uint64_t kSamplingStream = 0x5a3b1e;

bool more_likely(const std::pair<double, std::int32_t>& a,
                 const std::pair<double, std::int32_t>& b) {
  return a.first != b.first ? a.first > b.first : a.second < b.second;
}

}  // namespace

std::string sampling_error(const SamplingConfig& config) {
  if (!(config.temperature >= 0.0 && config.temperature <= 100.0)) {
    return "temperature=" + std::to_string(config.temperature) +
           " is not between 0 and 100: choose 0 for the most likely token, 1 for the model's own "
           "chances";
  }
  if (config.top_k < 0) {
    return "top_k=" + std::to_string(config.top_k) + " is negative: choose 0 for all tokens";
  }
  if (!(config.top_p > 0.0 && config.top_p <= 1.0)) {
    return "top_p=" + std::to_string(config.top_p) +
           " is not above 0 and at most 1: choose 1 for all tokens";
  }
  return "";
}

Sampler::Sampler(const SamplingConfig& config)
    : config_(config), rng_(config.seed, kSamplingStream) {}

double Sampler::gather(std::span<const float> logits, float top) {
  candidates_.clear();
  double total = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const double chance = std::exp((double(logits[i]) - double(top)) / config_.temperature);
    total += chance;
    candidates_.emplace_back(chance, static_cast<std::int32_t>(i));
  }
  return total;
}

double Sampler::keep_top_k() {
  const auto kept = std::min(static_cast<std::size_t>(config_.top_k), candidates_.size());
  std::nth_element(candidates_.begin(), candidates_.begin() + static_cast<std::ptrdiff_t>(kept - 1),
                   candidates_.end(), more_likely);
  candidates_.resize(kept);
  return chances();
}

double Sampler::keep_top_p(double total) {
  // Candidates below this share have together less than 1 - p, so none is needed to reach p.
  const double least = (1.0 - config_.top_p) * total / double(candidates_.size());
  std::erase_if(candidates_, [least](const Candidate& c) { return c.first < least; });
  std::sort(candidates_.begin(), candidates_.end(), more_likely);
  double reached = 0.0;
  std::size_t kept = 0;
  while (kept < candidates_.size() && reached < config_.top_p * total) {
    reached += candidates_[kept++].first;
  }
  candidates_.resize(kept);
  return reached;
}

double Sampler::chances() const {
  return std::accumulate(candidates_.begin(), candidates_.end(), 0.0,
                         [](double sum, const Candidate& c) { return sum + c.first; });
}

std::optional<std::int32_t> Sampler::draw(std::span<const float> logits) {
  const bool finite =
      std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); });
  if (!finite || logits.empty()) {
    return std::nullopt;
  }
  const auto top = std::max_element(logits.begin(), logits.end());
  if (config_.temperature == 0.0) {
    return static_cast<std::int32_t>(top - logits.begin());
  }
  double total = gather(logits, *top);
  if (config_.top_k > 0) {
    total = keep_top_k();
  }
  if (config_.top_p < 1.0) {
    total = keep_top_p(total);
  }
  double left = rng_.next_unit() * total;
  for (const Candidate& candidate : candidates_) {
    left -= candidate.first;
    if (left < 0.0) {
      return candidate.second;
    }
  }
  return candidates_.back().second;
}

}  // namespace lathe
