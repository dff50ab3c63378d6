// All that decides the values of a run, apart from the machine: the trainer's input.
#pragma once

#include <vector>

#include "engine/base/json.h"
#include "engine/data/data_config.h"
#include "engine/nn/linear_plan.h"
#include "engine/nn/model_config.h"
#include "engine/optim/optim_config.h"
#include "engine/train/train_config.h"

namespace lathe {

struct TrainSpec {
  std::int64_t seed = 0;
  ModelConfig model;
  DataConfig data;
  TrainConfig train;
  OptimConfig optim;
  Json method = Json::object();  // id -> canonical parameters; see engine/methods/method.h
  // The slots of what model.from names, where some are factored; else empty. Not part of the
  // document: model.from_hash decides them.
  std::vector<LinearPlan> base_slots = {};
};

}  // namespace lathe
