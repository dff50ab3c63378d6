// Backward passes over some calibration text.
#include "engine/compress/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/backend/sums.h"
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

std::int64_t sequences_within(std::int64_t tokens, const CalibrationSequences& sequences) {
  return std::clamp<std::int64_t>(tokens / sequences.length, 1, sequences.count);
}

Result<void> weighing(const CompressProgress& progress, std::int64_t done, std::int64_t count) {
  if (progress && !progress(static_cast<double>(done) / static_cast<double>(count), "weighing")) {
    return Error{ErrorKind::kInterrupted, "stopped", "nothing was written"};
  }
  return {};
}

// The parameters that are matrices of the slots of `types`; all others are frozen.
std::vector<Parameter*> matrices_of(Transformer& transformer, const ModelFile& model,
                                    std::span<const LayerType> types) {
  std::set<std::string> names;
  for (const LinearPlan& plan : model.plans()) {
    const auto type = layer_type(plan.name);
    if (type && std::ranges::find(types, *type) != types.end()) {
      for (const std::string& name : lathe::matrices_of(plan)) {
        names.insert(name);
      }
    }
  }
  std::vector<Parameter*> found;
  for (Parameter* parameter : transformer.parameters()) {
    parameter->frozen = !names.contains(parameter->name);
    if (!parameter->frozen) {
      found.push_back(parameter);
    }
  }
  return found;
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
  const std::int64_t count = sequences_within(tokens, sequences);
  const auto slots = static_cast<std::int64_t>(model.plans().size());
  const Tensor entropy = make_sums(backend, "calibration", "entropy");
  // A square for each slot of one sequence; behind them the place for a total that nobody needs.
  const Tensor added = make_sums(backend, "calibration", "squares", slots + 1);
  std::vector<double> squares(model.plans().size());
  for (std::int64_t i = 0; i < count; ++i) {
    if (const Result<void> on = weighing(progress, i, count); !on) {
      return on.error();
    }
    const Batch batch = one_sequence(backend, sequences, i);
    transformer.train(batch.ids, batch.targets, {.batch = 1, .seq_len = sequences.length}, 0, 1.0f,
                      entropy, [&](std::int64_t slot, TensorRef dy) {
                        ops::sum_squares(backend, {.x = std::span(&dy, 1),
                                                   .sums = sums_at(added, slot, 1),
                                                   .total = sums_at(added, slots, 1)});
                      });
    const std::vector<double> of_sequence = read_sums(backend, added);
    std::transform(squares.begin(), squares.end(), of_sequence.begin(), squares.begin(),
                   std::plus<>());
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

Result<std::map<std::string, std::vector<float>>> weight_sensitivity(
    Backend& backend, const ModelFile& model, const CalibrationSequences& sequences,
    std::span<const LayerType> types, std::int64_t tokens, const CompressProgress& progress) {
  Transformer transformer(backend, model.config(), model.plans());
  load_weights(backend, model, transformer);
  const std::vector<Parameter*> matrices = matrices_of(transformer, model, types);
  const std::int64_t count = sequences_within(tokens, sequences);
  const Tensor entropy = make_sums(backend, "calibration", "entropy");
  std::map<std::string, std::vector<float>> squares;
  std::vector<float> gradient;
  for (std::int64_t i = 0; i < count; ++i) {
    if (const Result<void> on = weighing(progress, i, count); !on) {
      return on.error();
    }
    const Batch batch = one_sequence(backend, sequences, i);
    transformer.train(batch.ids, batch.targets, {.batch = 1, .seq_len = sequences.length}, 0, 1.0f,
                      entropy);
    for (Parameter* matrix : matrices) {
      gradient.resize(static_cast<std::size_t>(matrix->elements()));
      backend.read(matrix->gradient, gradient.data(), matrix->gradient.ref().bytes());
      matrix->gradient.reset();  // the next sequence's is its own
      std::vector<float>& sums = squares[matrix->name];
      sums.resize(gradient.size());
      bool finite = true;
      for (std::size_t at = 0; at < sums.size(); ++at) {
        sums[at] += gradient[at] * gradient[at];
        finite = finite && std::isfinite(sums[at]);
      }
      if (!finite) {
        return Error{ErrorKind::kDiverged, "the gradient of " + matrix->name + " is not finite",
                     "take all weights alike (quant.weighting=uniform), or use another model"};
      }
    }
  }
  return squares;
}

}  // namespace lathe
