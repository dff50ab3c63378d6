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

enum class QuantType : std::uint8_t { kNone, kNf4, kInt };
template <>
struct EnumNames<QuantType> {
  static constexpr std::array<std::string_view, 3> names{"none", "nf4", "int"};
};

enum class RoundingRule : std::uint8_t { kNearest, kGptq };
template <>
struct EnumNames<RoundingRule> {
  static constexpr std::array<std::string_view, 2> names{"nearest", "gptq"};
};

struct QuantConfig {
  QuantType type = QuantType::kNone;
  std::int64_t bits = 4;
  std::int64_t group = 64;
  RoundingRule rounding = RoundingRule::kNearest;
  double damp = 0.01;
  bool by_activity = false;

  static constexpr auto fields() {
    using C = QuantConfig;
    return std::tuple{
        field("type", &C::type,
              {.sweep = true,
               .help = "none: as it is; nf4: 4-bit codes for normal weights, 64 to a scale; int: "
                       "levels of `bits`, `group` of them to a scale and an offset",
               .qualified = true}),
        field("bits", &C::bits,
              {.lo = 2, .hi = 8, .sweep = true, .help = "of a level (int)", .qualified = true}),
        field("group", &C::group,
              {.lo = 32,
               .hi = 128,
               .log = true,
               .sweep = true,
               .help = "neighbours in a row with one scale (int): 32, 64 or 128",
               .qualified = true}),
        field("rounding", &C::rounding,
              {.sweep = true,
               .help = "nearest: each weight by itself; gptq: so that outputs on calibration text "
                       "change least"}),
        field("damp", &C::damp,
              {.lo = 0,
               .hi = 10,
               .log = true,
               .sweep = true,
               .help = "gptq: added to the inputs' second moment, as a share of its mean"}),
        field("by_activity", &C::by_activity,
              {.sweep = true, .help = "gptq: columns in the order of their inputs' size"})};
  }
};
static_assert(complete<QuantConfig>());

// The stored type that is meant; kUsage for a group that there is not. Precondition: type is not
// kNone.
Result<StoredType> stored_type_of(const QuantConfig& config);

}  // namespace lathe
