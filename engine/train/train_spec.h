// All that decides the values of a run, apart from the machine: the trainer's input.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/base/json.h"
#include "engine/data/data_config.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/model_config.h"
#include "engine/optim/optim_config.h"
#include "engine/train/distill_config.h"
#include "engine/train/train_config.h"

namespace lathe {

class Transformer;  // engine/nn/transformer.h

// Fills every weight of a model, or gives it; on meta only memory is given.
using InitialWeights = std::function<void(Backend&, Transformer&)>;

// A model in a file. Of `slots` those are given whose matrices can be used as they are stored.
struct GivenModel {
  ModelConfig config;
  std::vector<LinearPlan> slots;
  InitialWeights weights;
  InitialWeights adapters = {};  // of a run that begins with those that it brings
  bool int8_rows = false;        // some of the slots' matrices are int8_row
};

struct TrainSpec {
  std::int64_t seed = 0;
  ModelConfig model;
  DataConfig data;
  TrainConfig train;
  OptimConfig optim;
  DistillConfig distill;
  Json method = Json::object();  // id -> canonical parameters; see engine/methods/method.h
  // The slots of what model.from names, where some are factored; else empty. Not part of the
  // document, as the next two: the hashes decide them.
  std::vector<LinearPlan> base_slots = {};
  // What model.from names: its weights are those that the run begins with.
  std::shared_ptr<const GivenModel> base = nullptr;
  // What distill.from names.
  std::shared_ptr<const GivenModel> teacher = nullptr;
};

}  // namespace lathe
