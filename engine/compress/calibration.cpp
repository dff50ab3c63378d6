// Drawing calibration sequences.
#include "engine/compress/calibration.h"

#include <algorithm>
#include <string>

namespace lathe {
namespace {

constexpr std::int64_t kUsualLength = 512;

Error too_long(std::int64_t length, const std::string& why) {
  return {ErrorKind::kUsage, "seq_len=" + std::to_string(length) + " is more than " + why,
          "choose a smaller seq_len"};
}

}  // namespace

std::int64_t calibration_length(const CalibrationConfig& config, const ModelConfig& model) {
  if (config.seq_len > 0) {
    return config.seq_len;
  }
  std::int64_t length = kUsualLength;
  for (const std::int64_t limit : {model.context, model.window}) {
    length = limit > 0 ? std::min(length, limit) : length;
  }
  return length;
}

Result<CalibrationSequences> draw_sequences(const TokenSource& text, const ModelConfig& model,
                                            const CalibrationConfig& config) {
  const std::int64_t length = calibration_length(config, model);
  if (model.context > 0 && length > model.context) {
    return too_long(length, "the model's context of " + std::to_string(model.context));
  }
  if (model.window > 0 && length > model.window) {
    return too_long(length, "the " + std::to_string(model.window) + " tokens that attention sees");
  }
  const auto tokens = text.tokens(Split::kTrain);
  const auto there = static_cast<std::int64_t>(tokens.size());
  if (there < length + 1) {
    return too_long(length, "the text has: " + std::to_string(there) + " tokens");
  }
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(config.samples));
  batch_offsets(there, length, static_cast<std::uint64_t>(config.seed), 0, 0, offsets);
  CalibrationSequences drawn{.count = config.samples, .length = length, .ids = {}};
  drawn.ids.reserve(static_cast<std::size_t>(drawn.tokens()));
  for (const std::int64_t offset : offsets) {
    const auto begin = tokens.begin() + offset;
    drawn.ids.insert(drawn.ids.end(), begin, begin + length);
  }
  return drawn;
}

}  // namespace lathe
