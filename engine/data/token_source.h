// Tokens of a corpus, split into a training and a held-out stream, memory-mapped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/data_config.h"
#include "engine/data/text_coder.h"

namespace lathe {

class Tokenizer;  // engine/tokenizer/tokenizer.h
struct ImageSet;  // engine/data/image_set.h

enum class Split : std::uint8_t { kTrain, kHeldout };

// Facts of a prepared corpus.
struct CorpusInfo {
  std::string digest;  // of tokens and tokenizer: replay compares it
  std::int64_t vocab_size = 0;
  std::int64_t train_tokens = 0;
  std::int64_t heldout_tokens = 0;
  std::int64_t files = 0;
  std::int64_t skipped_files = 0;  // binary or not UTF-8
  std::int64_t text_bytes = 0;
  // Of data made of samples:
  std::int64_t train_samples = 0;
  std::int64_t heldout_samples = 0;
  std::int64_t cut_samples = 0;      // longer than a row: their end is left out
  std::int64_t dropped_samples = 0;  // of whose answers a row holds nothing: not among the above
  std::int64_t without_samples = 0;  // whose text data.without has: not among them either
  // Of images, which are samples too and have classes for a vocabulary: of each channel.
  std::vector<double> pixel_mean = {}, pixel_std = {};
};

// What was cut, dropped or left out of the samples, in a sentence; empty if nothing was.
std::string left_out_note(const CorpusInfo& info);

// The samples of a part that is made of them, one after the other in its tokens; empty of running
// text. A target is the token that follows where that belongs to an answer, else kIgnoredTarget.
struct SampleStream {
  std::span<const std::int64_t> begins;   // of each sample in the part's tokens, then their end
  std::span<const std::int32_t> targets;  // of each token
};

// Random access to the two streams. Documents follow each other, each ended by the end mark; or
// samples do.
class TokenSource {
 public:
  virtual ~TokenSource() = default;
  virtual const CorpusInfo& info() const = 0;
  virtual std::span<const std::int32_t> tokens(Split split) const = 0;
  virtual SampleStream samples(Split) const { return {}; }
  // Null unless the data is images, which have no tokens.
  virtual const ImageSet* images() const { return nullptr; }
  // Text of token ids, for samples and messages.
  virtual std::string decode(std::span<const std::int32_t> ids) const = 0;
  // What made the ids, for reading other texts alike; null where the source has no text.
  virtual const Tokenizer* tokenizer() const { return nullptr; }
};

// Progress of the preparation: share in [0, 1] and what is being done.
using CorpusProgress = std::function<void(double share, const std::string& what)>;

// Running text: tokenizes the corpus once into a cache ($XDG_CACHE_HOME/lathe) keyed by the digest
// of config, tokenizer and file contents, and maps it; the second time it only maps. kData for a
// missing, empty or binary corpus, or one too small for two sequences of seq_len in each part.
// Samples: as open_samples() (sample_source.h). Images: as open_images() (image_set.h). `model`:
// the tokenizer that a model brings.
Result<std::shared_ptr<const TokenSource>> open_corpus(const DataConfig& config,
                                                       std::int64_t seq_len,
                                                       const ModelEncoding& model,
                                                       const CorpusProgress& progress);

// Start offsets of the B sequences of micro-batch `micro` of optimizer step `step` (0-based): drawn
// by Philox from (seed, step, micro) alone. Each sequence is seq_len + 1 tokens (input and target).
void batch_offsets(std::int64_t stream_tokens, std::int64_t seq_len, std::uint64_t seed,
                   std::int64_t step, std::int64_t micro, std::span<std::int64_t> offsets);

}  // namespace lathe
