// A decoder-only transformer built from one config and one plan per linear slot: embedding, blocks,
// final norm, head. Training runs forward, loss and backward in one call, because head and
// cross-entropy go through the logits in chunks and never hold all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/block.h"

namespace lathe {

// Everything wrong with a config, one sentence each naming value, what is legal and the remedy.
std::vector<std::string> config_errors(const ModelConfig& model);

// The rows of logits held at once: `wanted`, or as many as fit about 16 MiB if it is 0; at most
// `tokens`.
std::int64_t logit_chunk_rows(std::int64_t wanted, std::int64_t vocab_size, std::int64_t tokens);

class Transformer {
 public:
  // Takes the memory. Preconditions: config_errors() is empty, vocab_size is set, `plans` has the
  // slots of dense_plan() in order.
  Transformer(Backend& backend, const ModelConfig& model, const std::vector<LinearPlan>& plans);

  // Every weight from (seed, its own stream), whatever was initialised before.
  void initialise(std::uint64_t seed);

  // Forward, loss and backward of one micro-batch; gradients are added to. ids, targets: i32 [N], N
  // = B*T, target -1 is ignored. Gradients are those of grad_scale * (sum of losses).
  void train(TensorRef ids, TensorRef targets, const BatchShape& shape, std::int64_t logit_chunk,
             float grad_scale, CrossEntropySums* sums);

  // Loss only; nothing is kept.
  void evaluate(TensorRef ids, TensorRef targets, const BatchShape& shape, std::int64_t logit_chunk,
                CrossEntropySums* sums);

  // In a fixed order: embedding, blocks, final norm, head.
  std::vector<Parameter*> parameters();

 private:
  Tensor embed(TensorRef ids);
  TensorRef head_weight();
  // Loss over x [N, D]; if `train`, x's gradient is returned and the head's is added to.
  Tensor head_loss(Tensor x, TensorRef targets, std::int64_t chunk, float grad_scale, bool train,
                   CrossEntropySums* sums);
  void chunk_loss(TensorRef normed, TensorRef targets, TensorRef logits, float grad_scale,
                  bool train, CrossEntropySums* sums);

  Backend* backend_;
  ModelConfig model_;
  Parameter embedding_;
  std::vector<std::unique_ptr<Block>> blocks_;
  Parameter final_gain_;
  std::unique_ptr<Parameter> head_;  // null where tied
};

}  // namespace lathe
