// A checkpoint is a folder: weights.safetensors, optimizer.safetensors and state.json, written
// beside its final name and renamed, so that a folder of that name is always whole. state.json
// holds a checksum of both files' tensors and of itself, so that damage is seen, not trained on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/nn/gradient_projection.h"
#include "engine/nn/linear.h"
#include "engine/nn/subtokens.h"
#include "engine/optim/adamw.h"
#include "engine/train/trainer.h"

namespace lathe {

// The counters and knobs that a run's future depends on beside its tensors.
struct TrainState {
  std::int64_t step = 0;
  std::int64_t tokens = 0;
  LiveKnobs knobs;
  std::string spec_digest;  // of the TrainSpec that wrote it
  std::string data_digest;
};

// What a checkpoint is of: the parameters of the model but for given weights, the optimizer of
// those that are trained, what stands for slots' inputs, what their gradients are projected by, and
// the palettes that weights are read through.
struct TrainedModel {
  std::vector<Parameter*> parameters;
  AdamW* optimizer = nullptr;
  std::vector<Subtokens*> subtokens = {};
  std::vector<GradientProjection*> projections = {};
  std::vector<Linear::Palettised> palettes = {};
};

// kDisk on failure; nothing of the former checkpoint of that name is lost then.
Result<void> write_checkpoint(const std::string& folder, Backend& backend,
                              const TrainedModel& model, const TrainState& state);

// Fills the tensors. kData if anything is missing, damaged, or of another spec or corpus than
// `expected` says; the tensors are then as they were.
Result<TrainState> read_checkpoint(const std::string& folder, Backend& backend,
                                   const TrainedModel& model, const TrainState& expected);

}  // namespace lathe
