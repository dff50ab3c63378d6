// Where the sequences of a batch begin: a function of (seed, step, micro) alone, so that a resumed
// or replayed run reads the same text.
#include "engine/base/check.h"
#include "engine/base/rng.h"
#include "engine/data/token_source.h"

namespace lathe {
namespace {

// Keeps these draws apart from those of initialisation and the like under the same seed.
constexpr std::uint64_t kBatchStream = 0xBA7C'0000'0000'0000;

// floor(word / 2^64 * bound): uniform up to a bias of bound / 2^64.
std::int64_t scale(std::uint64_t word, std::int64_t bound) {
  return static_cast<std::int64_t>((static_cast<unsigned __int128>(word) * bound) >> 64);
}

}  // namespace

void batch_offsets(std::int64_t stream_tokens, std::int64_t seq_len, std::uint64_t seed,
                   std::int64_t step, std::int64_t micro, std::span<std::int64_t> offsets) {
  CHECK(stream_tokens > seq_len, "the corpus was checked against seq_len when it was opened");
  const std::int64_t starts = stream_tokens - seq_len;
  for (std::size_t sequence = 0; sequence < offsets.size(); ++sequence) {
    const std::uint64_t index = (static_cast<std::uint64_t>(micro) << 32) | sequence;
    const auto words = philox(seed, kBatchStream + static_cast<std::uint64_t>(step), index);
    offsets[sequence] = scale((static_cast<std::uint64_t>(words[1]) << 32) | words[0], starts);
  }
}

}  // namespace lathe
