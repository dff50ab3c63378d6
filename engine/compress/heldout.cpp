// See heldout.h.
#include "engine/compress/heldout.h"

#include <algorithm>
#include <cmath>

#include "engine/backend/sums.h"
#include "engine/lm/language_model.h"
#include "engine/nn/transformer.h"

namespace lathe {
namespace {

// Rows of a forward pass: enough for products at full speed.
constexpr std::int64_t kBatchRows = 4096;

Tensor uploaded(Backend& backend, const std::vector<std::int32_t>& ids) {
  const auto count = static_cast<std::int64_t>(ids.size());
  Tensor tensor = workspace(backend, "heldout", "ids", Shape{count}, DType::kI32);
  backend.write(tensor, ids.data(), tensor.ref().bytes());
  return tensor;
}

}  // namespace

Result<HeldoutLoss> heldout_loss(Backend& backend, const ModelFile& model, const TokenSource& text,
                                 std::int64_t length, std::int64_t windows,
                                 const CompressProgress& progress) {
  const auto tokens = text.tokens(Split::kHeldout);
  const std::int64_t available = (static_cast<std::int64_t>(tokens.size()) - 1) / length;
  const std::int64_t count = std::min(windows, available);
  if (count < 1) {
    return Error{ErrorKind::kData,
                 "the held-out text has " + std::to_string(tokens.size()) +
                     " tokens, less than one piece of " + std::to_string(length),
                 "take more text, or a smaller calibration.seq_len"};
  }
  Transformer transformer(backend, model.config(), model.plans());
  load_weights(backend, model, transformer);
  const std::int64_t batch = std::clamp<std::int64_t>(kBatchRows / length, 1, count);
  const Tensor on_device = make_sums(backend, "heldout", "sums");
  for (std::int64_t first = 0; first < count; first += batch) {
    const double share = static_cast<double>(first) / static_cast<double>(count);
    if (progress && !progress(share, "measuring")) {
      return Error{ErrorKind::kInterrupted, "stopped", "nothing was written"};
    }
    const std::int64_t rows = std::min(batch, count - first);
    std::vector<std::int32_t> ids, targets;
    for (std::int64_t i = first; i < first + rows; ++i) {
      const auto begin = tokens.begin() + i * available / count * length;
      ids.insert(ids.end(), begin, begin + length);
      targets.insert(targets.end(), begin + 1, begin + length + 1);
    }
    transformer.evaluate(uploaded(backend, ids), uploaded(backend, targets),
                         {.batch = rows, .seq_len = length}, 0, on_device);
    backend.synchronize();
  }
  const CrossEntropySums sums = read_cross_entropy(backend, on_device);
  if (!std::isfinite(sums.loss)) {
    return Error{ErrorKind::kDiverged, "the held-out loss is not finite",
                 "choose higher ranks, or another solver"};
  }
  const auto counted = static_cast<double>(std::max<std::int64_t>(1, sums.counted));
  const double loss = sums.loss / counted;
  return HeldoutLoss{.loss = loss,
                     .perplexity = std::exp(loss),
                     .accuracy = static_cast<double>(sums.correct) / counted,
                     .tokens = sums.counted};
}

}  // namespace lathe
