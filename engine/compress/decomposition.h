// A model's linear layers decomposed on calibration text: what each rank of each layer would lose
// is known then, so that ranks can be chosen again and again, and models of them made, at no
// further cost. LoRD (arXiv 2309.14021) and its relatives: engine/methods/lord/README.md.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/compress/calibration.h"
#include "engine/compress/progress.h"
#include "engine/io/model_file.h"
#include "engine/methods/lord/ranks.h"
#include "engine/methods/lord/solver.h"

namespace lathe {

struct DecomposedLayer {
  LinearPlan slot;  // of the dense layer
  LayerSolution solution;
  double importance = 1;  // of its error, where budgets are spent: sensitivity.h
};

// kUsage where a slot is two factors already.
Result<void> check_is_dense(const ModelFile& model);

class Decomposition {
 public:
  // Sends the sequences through the model, one block after the other, and solves every layer whose
  // type is in `types`. kUsage for a model that is factored already, kData for inputs that are not
  // finite (layer, sequence and position), kInterrupted. Throws OutOfMemory. Memory beside the
  // model: 4 bytes x tokens x width, and 8 bytes x (in + out) x min(in, out) for each layer.
  static Result<Decomposition> of(Backend& backend, const ModelFile& model,
                                  const CalibrationSequences& sequences,
                                  const LordSolverOptions& options,
                                  std::span<const LayerType> types,
                                  const CompressProgress& progress);

  // In the order of the model's slots.
  const std::vector<DecomposedLayer>& layers() const { return layers_; }
  // "layers.3.mlp.down: 512 rows for 1536 inputs ...": what had to be floored.
  const std::vector<std::string>& notes() const { return notes_; }

  // One number per slot of the model, in order: each layer's importance.
  void set_importance(std::span<const double> by_slot);

  // The model with those ranks; what its verdict leaves dense is as it was.
  ModelFile with_ranks(std::span<const RankVerdict> verdicts) const;

  // The same ranks, each block fitted to what the blocks before it, already factored, give it. Goes
  // through the model again; errors as of(). The solver is kAffine, `ridge` as in the options.
  Result<ModelFile> sequentially(Backend& backend, const CalibrationSequences& sequences,
                                 std::span<const RankVerdict> verdicts, double ridge,
                                 const CompressProgress& progress) const;

 private:
  explicit Decomposition(const ModelFile& model) : model_(model) {}

  ModelFile model_;
  std::vector<DecomposedLayer> layers_;
  std::vector<std::string> notes_;
};

}  // namespace lathe
