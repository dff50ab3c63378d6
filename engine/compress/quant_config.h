// In what type, and how, a model's linear slots are to be stored.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "engine/base/describe.h"
#include "engine/base/result.h"
#include "engine/quant/stored_type.h"

namespace lathe {

enum class QuantType : std::uint8_t { kNone, kNf4, kNf4Double, kInt, kInt8Row, kSpqr, kPalette };
template <>
struct EnumNames<QuantType> {
  static constexpr std::array<std::string_view, 7> names{"none",     "nf4",  "nf4_dq", "int",
                                                         "int8_row", "spqr", "palette"};
};

enum class RoundingRule : std::uint8_t { kNearest, kGptq };
template <>
struct EnumNames<RoundingRule> {
  static constexpr std::array<std::string_view, 2> names{"nearest", "gptq"};
};

enum class ClusterWeighting : std::uint8_t { kUniform, kFisher };
template <>
struct EnumNames<ClusterWeighting> {
  static constexpr std::array<std::string_view, 2> names{"uniform", "fisher"};
};

struct QuantConfig {
  QuantType type = QuantType::kNone;
  std::int64_t bits = 4;
  std::int64_t group = 64;
  RoundingRule rounding = RoundingRule::kNearest;
  double damp = 0.01;
  bool by_activity = false;
  double threshold = 0.2;
  std::int64_t clusters = 0;
  std::int64_t palette_rows = 0;
  std::int64_t palette_dim = 1;
  bool palette_scale = false;
  ClusterWeighting weighting = ClusterWeighting::kUniform;
  std::int64_t loftq_rank = 0;
  std::int64_t loftq_rounds = 5;

  static constexpr auto fields() {
    using C = QuantConfig;
    return std::tuple{
        field("type", &C::type,
              {.sweep = true,
               .help =
                   "none: as it is; nf4: 4-bit codes for normal weights, 64 to a scale; nf4_dq: "
                   "their scales in 8 bits; int: levels of `bits`, `group` of them to a scale "
                   "and an offset; int8_row: 8 bits, a scale to a row; spqr: levels of `bits`, "
                   "16 to a scale and an offset of 3 bits each, and outliers; palette: indices of "
                   "`bits` into tables of values, the best there are (k-means)",
               .qualified = true}),
        field("bits", &C::bits,
              {.lo = 1,
               .hi = 8,
               .sweep = true,
               .help = "of a level (int: 2 to 8; spqr: 3 or 4), or of an index (palette: 1 to 8)",
               .qualified = true}),
        field("group", &C::group,
              {.lo = 32,
               .hi = 128,
               .log = true,
               .sweep = true,
               .help = "neighbours in a row with one scale (int): 32, 64 or 128",
               .qualified = true}),
        field("rounding", &C::rounding,
              {.sweep = true,
               .help = "nearest: each weight by itself; gptq (nf4, int): so that outputs on "
                       "calibration text change least, as spqr always does"}),
        field("damp", &C::damp,
              {.lo = 0,
               .hi = 10,
               .log = true,
               .sweep = true,
               .help = "gptq, spqr: added to the inputs' second moment, as a share of its mean"}),
        field("by_activity", &C::by_activity,
              {.sweep = true, .help = "gptq, spqr: columns in the order of their inputs' size"}),
        field("threshold", &C::threshold,
              {.lo = 0,
               .hi = 100,
               .log = true,
               .sweep = true,
               .help = "spqr: the squared error, as a share of a column's variance, beyond which a "
                       "weight is kept as an outlier; the higher, the fewer",
               .qualified = true}),
        field("clusters", &C::clusters,
              {.lo = 0,
               .hi = 256,
               .log = true,
               .sweep = true,
               .help = "values of a palette; 0: as many as its bits tell apart",
               .qualified = true}),
        field("palette_rows", &C::palette_rows,
              {.lo = 0,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .help = "rows that share a palette, a divisor of each matrix's; 0: all"}),
        field("palette_dim", &C::palette_dim,
              {.lo = 1,
               .hi = 4,
               .sweep = true,
               .help = "neighbours in a row that one index stands for"}),
        field("palette_scale", &C::palette_scale,
              {.sweep = true,
               .help = "divide each row by half its range first, and keep that beside it"}),
        field("weighting", &C::weighting,
              {.sweep = true,
               .help = "palette: what a weight's error counts. uniform: all alike; fisher: the "
                       "loss's squared gradient by it on calibration text",
               .qualified = true}),
        field("loftq_rank", &C::loftq_rank,
              {.lo = 0,
               .hi = 16384,
               .log = true,
               .sweep = true,
               .help = "rank of adapters that make up for the rounding and are written beside the "
                       "model, to begin fine-tuning with (lora.init=loftq); 0: none"}),
        field("loftq_rounds", &C::loftq_rounds,
              {.lo = 1,
               .hi = 100,
               .sweep = true,
               .help = "loftq: how often matrix and adapter are found anew, at most"})};
  }
};
static_assert(complete<QuantConfig>());

// The stored type that is meant; kUsage for bits, a group or a rounding that it does not have.
// Precondition: type is not kNone.
Result<StoredType> stored_type_of(const QuantConfig& config);

}  // namespace lathe
