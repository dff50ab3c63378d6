// The samples of a config's files, in the order and with the place between the parts that their
// texts give them.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/result.h"
#include "engine/data/data_config.h"
#include "engine/data/sample.h"

namespace lathe {

struct PlacedSample {
  Sample sample;
  std::uint64_t order = 0;
  double place = 0;  // in [0, 1): held out below a share
  // The how many-th of its file's repeats ("FILE*6"): 0 for the first.
  std::int64_t copy = 0;
};

struct ReadSamples {
  std::vector<PlacedSample> samples;  // by `order`
  std::int64_t files = 0;
  std::int64_t without = 0;  // left out, for data.without has their text
};

// All samples of data.path, data.max_bytes of them. kData for a missing file or a sample out of its
// schema, kUsage for a path of running text or a number of repeats that is none.
Result<ReadSamples> read_samples(const DataConfig& config);

}  // namespace lathe
