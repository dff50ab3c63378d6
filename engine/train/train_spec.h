// All that decides the values of a run, apart from the machine: the trainer's input.
#pragma once

#include "engine/base/json.h"
#include "engine/data/data_config.h"
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
};

}  // namespace lathe
