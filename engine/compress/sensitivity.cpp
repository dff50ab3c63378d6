// One backward pass over some calibration text.
#include "engine/compress/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "engine/lm/language_model.h"
#include "engine/nn/transformer.h"

namespace lathe {
namespace {

constexpr std::int32_t kNoTarget = -1;

struct Batch {
  Tensor ids, targets;
};

// One sequence; each token's target is the next, the last has none.
Batch one_sequence(Backend& backend, const CalibrationSequences& sequences, std::int64_t index) {
  const auto begin = sequences.ids.begin() + index * sequences.length;
  const std::vector<std::int32_t> ids(begin, begin + sequences.length);
  std::vector<std::int32_t> targets(ids.begin() + 1, ids.end());
  targets.push_back(kNoTarget);
  Batch batch;
  for (const auto& [tensor, values] : {std::pair{&batch.ids, &ids}, {&batch.targets, &targets}}) {
    *tensor = workspace(backend, "calibration", "ids", Shape{sequences.length}, DType::kI32);
    backend.write(*tensor, values->data(), tensor->ref().bytes());
  }
  return batch;
}

}  // namespace

Result<std::vector<double>> output_sensitivity(Backend& backend, const ModelFile& model,
                                               const CalibrationSequences& sequences,
                                               std::int64_t tokens,
                                               const CompressProgress& progress) {
  Transformer transformer(backend, model.config(), model.plans());
  load_weights(backend, model, transformer);
  for (Parameter* parameter : transformer.parameters()) {
    parameter->frozen = parameter->weight.shape().rank() == 2;  // no gradient of matrices
  }
  const std::int64_t count =
      std::clamp<std::int64_t>(tokens / sequences.length, 1, sequences.count);
  std::vector<double> squares(model.plans().size());
  for (std::int64_t i = 0; i < count; ++i) {
    if (progress && !progress(static_cast<double>(i) / static_cast<double>(count), "weighing")) {
      return Error{ErrorKind::kInterrupted, "stopped", "nothing was written"};
    }
    std::vector<double> added(squares.size());
    CrossEntropySums sums;
    const ResultScope scope(backend);
    const Batch batch = one_sequence(backend, sequences, i);
    transformer.train(batch.ids, batch.targets, {.batch = 1, .seq_len = sequences.length}, 0, 1.0f,
                      &sums, [&](std::int64_t slot, TensorRef dy) {
                        ops::sum_squares(
                            backend, {.x = dy, .result = &added[static_cast<std::size_t>(slot)]});
                      });
    backend.synchronize();
    std::transform(squares.begin(), squares.end(), added.begin(), squares.begin(), std::plus<>());
  }
  const auto rows = static_cast<double>(count * sequences.length);
  for (std::size_t i = 0; i < squares.size(); ++i) {
    squares[i] /= rows * static_cast<double>(model.plans()[i].out);
    if (!std::isfinite(squares[i])) {
      return Error{ErrorKind::kDiverged,
                   "the gradient of the output of " + model.plans()[i].name + " is not finite",
                   "spend the budget without weighing (weigh=false), or use another model"};
    }
  }
  return squares;
}

}  // namespace lathe
