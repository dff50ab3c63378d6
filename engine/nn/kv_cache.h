// Keys and values of the positions that a model has seen, so that each new token costs one row.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/backend/backend.h"
#include "engine/nn/model_config.h"

namespace lathe {

class KvCache {
 public:
  // Takes the memory for `capacity` positions of one sequence. Throws OutOfMemory.
  KvCache(Backend& backend, const ModelConfig& model, std::int64_t capacity);

  std::int64_t capacity() const { return capacity_; }
  // Positions that are filled.
  std::int64_t length() const { return length_; }

  // [capacity, kv_heads * head_dim] of one layer.
  TensorRef keys(std::int64_t layer) const { return layers_[static_cast<std::size_t>(layer)].keys; }
  TensorRef values(std::int64_t layer) const {
    return layers_[static_cast<std::size_t>(layer)].values;
  }

  // After all layers have written `count` further rows.
  void advance(std::int64_t count);
  // Forgets all positions from `length` on.
  void truncate(std::int64_t length);

 private:
  struct Layer {
    Tensor keys, values;
  };
  std::vector<Layer> layers_;
  std::int64_t capacity_;
  std::int64_t length_ = 0;
};

}  // namespace lathe
