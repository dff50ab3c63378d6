// The model that a run begins with, where model.from names one: its shape becomes the spec's, and
// its weights, tokenizer and chat template are the run's.
#pragma once

#include "engine/base/result.h"
#include "engine/data/text_coder.h"
#include "engine/io/model_file.h"
#include "engine/nn/model_config.h"
#include "engine/train/train_spec.h"

namespace lathe::experiments {

// The config with the shape and the hash of what model.from names filled in; itself where that is
// empty. kUsage where there is no such model or a shape parameter says otherwise than the file,
// kMismatch where model.from_hash is that of other weights, kData for a file that cannot be read.
// Files are read once as long as they do not change.
Result<ModelConfig> settle_model(const ModelConfig& model);

// Of a settled config's file, into the spec: its slots, where some are factored, and its weights.
// Errors as above.
Result<void> take_base(TrainSpec& spec);

struct BaseModel {
  ModelFile file;
  ModelEncoding encoding;
};

// The file and the text of a settled config whose model.from is not empty; of a model of images the
// file alone. kData where it has no tokenizer, or a chat template that cannot be read.
Result<BaseModel> open_base_model(const ModelConfig& model);

}  // namespace lathe::experiments
