// How rotary positions pair channels and stretch frequencies. Apart from op_args.h, since the
// model's config names the same kinds.
#pragma once

#include <cstdint>

namespace lathe {

// Channels turned together: (i, i + head_dim/2) as in checkpoints of the Hugging Face layout, or
// (2i, 2i + 1) as in Su et al. 2021 and GGUF files of LLaMA.
enum class RopePairs : std::uint8_t { kHalves, kInterleaved };

// How a model reads on beyond the context it was first trained with: not at all, all frequencies
// over `factor` (Chen et al. 2023), or by their wavelength (Grattafiori et al. 2024, as
// published with Llama 3.1's configs).
enum class RopeScalingKind : std::uint8_t { kNone, kLinear, kLlama3 };

struct RopeScaling {
  RopeScalingKind kind = RopeScalingKind::kNone;
  double factor = 1.0;
  // kLlama3: wavelengths above original_context / low are stretched by factor, those below
  // original_context / high are kept, those between are interpolated.
  double low = 1.0;
  double high = 4.0;
  double original_context = 8192.0;

  bool operator==(const RopeScaling&) const = default;
};

}  // namespace lathe
