// Samples in memory for tests: no files, no tokenizer.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/rng.h"
#include "engine/data/batch_source.h"
#include "engine/data/token_source.h"

namespace lathe::test {

// Ids of one sample; of the first `asked` nothing is learnt.
struct IdSample {
  std::vector<std::int32_t> ids;
  std::size_t asked = 0;
};

// Both parts hold the same samples.
class MemorySamples final : public TokenSource {
 public:
  MemorySamples(const std::vector<IdSample>& samples, std::int64_t vocab_size) {
    for (const IdSample& sample : samples) {
      for (std::size_t i = 0; i + 1 < sample.ids.size(); ++i) {
        ids_.push_back(sample.ids[i]);
        targets_.push_back(i + 1 < sample.asked ? kIgnoredTarget : sample.ids[i + 1]);
      }
      begins_.push_back(static_cast<std::int64_t>(ids_.size()));
    }
    info_.digest = "memory";
    info_.vocab_size = vocab_size;
  }
  const CorpusInfo& info() const override { return info_; }
  std::span<const std::int32_t> tokens(Split) const override { return ids_; }
  SampleStream samples(Split) const override { return {.begins = begins_, .targets = targets_}; }
  std::string decode(std::span<const std::int32_t>) const override { return ""; }

 private:
  CorpusInfo info_;
  std::vector<std::int32_t> ids_, targets_;
  std::vector<std::int64_t> begins_{0};
};

// Samples of 3 to 3 + `longest` tokens in which each answer can be learnt: it counts on from the
// last id asked. Ids stay below `vocab_size`; the first tells the sample's number.
inline std::vector<IdSample> learnable_samples(std::int64_t count, std::uint64_t longest,
                                               std::int64_t vocab_size) {
  Rng rng(3, 9);
  std::vector<IdSample> samples;
  for (std::int64_t i = 0; i < count; ++i) {
    IdSample sample{.ids = {static_cast<std::int32_t>(i % vocab_size)}, .asked = 2};
    const std::uint64_t length = 3 + rng.next_below(longest);
    while (sample.ids.size() < length) {
      sample.ids.push_back(static_cast<std::int32_t>((sample.ids.back() * 5 + 3) % vocab_size));
    }
    samples.push_back(std::move(sample));
  }
  return samples;
}

}  // namespace lathe::test
