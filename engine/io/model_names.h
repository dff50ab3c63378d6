// Which weights a model has, and under what names and in what form each kind of file keeps them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/io/model_tensor.h"
#include "engine/nn/model_config.h"

namespace lathe {

// How a family of files names its weights.
enum class NameScheme : std::uint8_t {
  kHfLlama,
  kHfGpt2,
  kHfBigCode,
  kGgufLlama,
  kGgufGpt2,
  kHfVit
};

// A weight of the model and where a file keeps it; stored.bytes are not yet there.
struct NamedWeight {
  ModelTensor tensor;
  std::string stored_name;
};

// Every weight in the order of Transformer::parameters(), with the form it has in such files.
std::vector<NamedWeight> named_weights(const ModelConfig& model, NameScheme scheme);

// Whether a tensor that is no weight belongs into such a file: masks, tables that can be computed,
// a head that repeats the embedding.
bool may_be_ignored(const std::string& stored_name, const ModelConfig& model);

}  // namespace lathe
