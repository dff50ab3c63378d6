// See compress_search.h.
#include "experiments/compress_search.h"

#include <fmt/core.h>

#include <array>
#include <cmath>

namespace lathe::experiments {
namespace {

constexpr std::array kSteps{0.95, 0.9, 0.8, 0.6, 0.2};
constexpr double kResolution = 0.003;

}  // namespace

Result<double> least_share(double max_rise, const RiseOf& rise_of) {
  double within = 1;
  double beyond = 0;
  for (const double share : kSteps) {
    const auto rise = rise_of(share);
    if (!rise) {
      return rise.error();
    }
    if (*rise > max_rise) {
      beyond = share;
      break;
    }
    within = share;
  }
  while (within - beyond > kResolution) {
    const double share = std::round((within + beyond) / 2 * 1000) / 1000;  // what people can read
    const auto rise = rise_of(share);
    if (!rise) {
      return rise.error();
    }
    (*rise > max_rise ? beyond : within) = share;
  }
  if (within == 1) {
    return Error{
        ErrorKind::kFailed,
        fmt::format("no smaller model rises by {:g} % or less: {:g} of the size is beyond it",
                    100 * max_rise, beyond),
        "allow a larger max_rise, or heal the model by training it on"};
  }
  return within;
}

}  // namespace lathe::experiments
