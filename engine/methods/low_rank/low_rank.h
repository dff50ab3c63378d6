// Low-rank layers: each chosen linear slot becomes two narrow ones (README.md: paper, equations).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/base/describe.h"
#include "engine/methods/method.h"
#include "engine/nn/linear_plan.h"

namespace lathe {

enum class LowRankTarget : std::uint8_t { kAll, kAttention, kMlp };
template <>
struct EnumNames<LowRankTarget> {
  static constexpr std::array<std::string_view, 3> names{"all", "attention", "mlp"};
};
template <>
struct EnumNames<FactorInit> {
  static constexpr std::array<std::string_view, 3> names{"spectral", "scaled_normal", "cola"};
};

struct LowRankParams {
  std::int64_t rank = 0;
  double rank_fraction = 0;
  double param_share = 0;
  LowRankTarget target = LowRankTarget::kAll;
  Activation between = Activation::kNone;
  FactorInit init = FactorInit::kSpectral;

  static constexpr auto fields() {
    using P = LowRankParams;
    return std::tuple{
        field("rank", &P::rank,
              {.lo = 0,
               .hi = 16384,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "width between the two factors; 0 leaves the layers dense"}),
        field("rank_fraction", &P::rank_fraction,
              {.lo = 0,
               .hi = 1,
               .sweep = true,
               .structural = true,
               .help = "instead of rank: a share of each layer's smaller side"}),
        field("param_share", &P::param_share,
              {.lo = 0,
               .hi = 1,
               .sweep = true,
               .structural = true,
               .help = "instead of rank: a share of each layer's dense parameters"}),
        field("target", &P::target,
              {.sweep = true, .structural = true, .help = "which layers of each block"}),
        field("between", &P::between,
              {.sweep = true,
               .structural = true,
               .help = "nonlinearity between the factors, y = B f(A x)"}),
        field(
            "init", &P::init,
            {.sweep = true,
             .structural = true,
             .help =
                 "spectral: the best rank-r part of the dense start; scaled_normal: two "
                 "normal factors whose product has the dense variance; cola: normal, of deviation "
                 "(r (m + n))^-1/4, for a nonlinearity between them"})};
  }
};
static_assert(complete<LowRankParams>());

// The rank that the parameters give a slot of [out, in], 0 for dense.
std::int64_t rank_of(const LowRankParams& params, std::int64_t out, std::int64_t in);

// The registry's row.
Method low_rank_method();

}  // namespace lathe
