// See weight_rounding.h.
#include "engine/backend/weight_rounding.h"

#include "engine/base/rng.h"
#include "engine/quant/half.h"

namespace lathe {

void round_at_random(const AdamwStepArgs& args, std::int64_t first, const float* values,
                     std::uint16_t* out, std::int64_t count) {
  const std::uint64_t stream = rounding_stream(args.step);
  for (std::int64_t done = 0; done < count;) {
    const std::int64_t at = first + done;
    const auto words =
        philox(args.seed, stream, static_cast<std::uint64_t>(at / kRoundingElements));
    for (std::int64_t half = at % kRoundingElements; half < kRoundingElements && done < count;
         ++half, ++done) {
      const std::uint32_t word = words[static_cast<std::size_t>(half / 2)];
      out[done] = bf16_of_float_by(values[done], half % 2 == 0 ? word : word >> 16);
    }
  }
}

}  // namespace lathe
