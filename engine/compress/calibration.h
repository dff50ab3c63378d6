// The text on which a model is looked at before it is made smaller.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/describe.h"
#include "engine/base/result.h"
#include "engine/data/token_source.h"
#include "engine/nn/model_config.h"

namespace lathe {

struct CalibrationConfig {
  std::int64_t samples = 128;
  std::int64_t seq_len = 0;
  std::int64_t seed = 0;

  static constexpr auto fields() {
    using C = CalibrationConfig;
    return std::tuple{
        field("samples", &C::samples,
              {.lo = 1,
               .hi = 1e6,
               .log = true,
               .unit = "sequences",
               .help = "pieces of text on which the layers' inputs are looked at"}),
        field("seq_len", &C::seq_len,
              {.lo = 0,
               .hi = 131072,
               .log = true,
               .unit = "tokens",
               .help = "length of a piece; 0: 512, or what the model sees where that is less"}),
        field("seed", &C::seed, {.lo = 0, .hi = 1e15, .help = "decides which pieces are drawn"})};
  }
};
static_assert(complete<CalibrationConfig>());

// Sequences of equal length, one after the other.
struct CalibrationSequences {
  std::int64_t count = 0;
  std::int64_t length = 0;
  std::vector<std::int32_t> ids;  // [count, length]

  std::int64_t tokens() const { return count * length; }
};

// seq_len with its 0 resolved.
std::int64_t calibration_length(const CalibrationConfig& config, const ModelConfig& model);

// Pieces of the training part, drawn from the seed alone. kUsage where they are longer than the
// model sees or than the text has.
Result<CalibrationSequences> draw_sequences(const TokenSource& text, const ModelConfig& model,
                                            const CalibrationConfig& config);

}  // namespace lathe
