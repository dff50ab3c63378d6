// The sample sweep that is one key away, made to fit this machine.
#pragma once

#include <cstdint>

#include "engine/base/json.h"

namespace lathe::ui {

struct SampleOffer {
  Json sweep;  // a sweep document
  std::int64_t points = 0;
  double secs = 0;  // expected, after calibration
};

}  // namespace lathe::ui
