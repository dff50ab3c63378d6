// A transformer built from one config and one plan per linear slot: embedding (of tokens, or of an
// image's patches), blocks, final norm, head. Training runs forward, loss and backward in one call,
// because head and cross-entropy go through the logits in chunks and never hold all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/nn/block.h"
#include "engine/nn/patch_embedding.h"

namespace lathe {

// The rows of logits held at once: `wanted`, or as many as fit about 16 MiB if it is 0; at most
// `tokens`.
std::int64_t logit_chunk_rows(std::int64_t wanted, std::int64_t vocab_size, std::int64_t tokens);

// What an evaluation may ask per row; an undefined member is not asked. The rest of the head's work
// is saved for tokens whose prediction nobody needs (the question before an answer).
struct RowScores {
  TensorRef rows = {};    // i32 [M]: the rows of the batch to be scored, in this order; all of them
  TensorRef losses = {};  // f32 [M], as CrossEntropyArgs says
  TensorRef argmax = {};  // i32 [M]
};

// The factor of a loss's gradients: a number, or an f64 [1] that holds it when it is needed.
struct GradientScale {
  GradientScale(float number) : value(number) {}
  GradientScale(TensorRef place) : at(place) {}
  float value = 1.0f;
  TensorRef at = {};
};

class Transformer;

// Whose distribution over the next token a loss is drawn towards, as DistillLossArgs says. `model`
// has the vocabulary of the one that is trained; null: none.
struct Teacher {
  Transformer* model = nullptr;
  float weight = 0.0f;
  float temperature = 1.0f;
};

// Who brings the memory of the embedding and the head: the model, or whoever gives them (frozen, of
// any stored type) by give_weight(). The head of a model of images is the model's own always.
enum class TableMemory : std::uint8_t { kOwned, kGiven };

class Transformer {
 public:
  // Takes the memory. Preconditions: config_errors() is empty, vocab_size is set, `plans` has the
  // slots of dense_plan() in order. table_type: of embedding and head where the model owns them,
  // f32 or bf16.
  Transformer(Backend& backend, const ModelConfig& model, const std::vector<LinearPlan>& plans,
              TableMemory tables = TableMemory::kOwned, DType table_type = DType::kF32);

  // Every weight from (seed, its own stream), whatever was initialised before; adapters begin by
  // the next.
  void initialise(std::uint64_t seed);
  // The head alone, as initialise() draws it.
  void initialise_head(std::uint64_t seed);
  // Of slots that have one. Cycle 0: they begin beside the weights as they are; later ones: they
  // join them and begin anew. What is drawn is a function of (seed, slot, cycle).
  void start_adapters(std::uint64_t seed, std::uint64_t cycle);

  // What adapters that have dropout drop in the next train(); evaluate() and infer() drop nothing.
  void draw_dropout(const DropoutDraw& draw);

  // Of train(), from now on; evaluate() and infer() keep none and round none.
  void keep_activations(ActivationStore store, Recompute recompute = Recompute::kCheap);

  // Forward, loss and backward of one micro-batch; gradients are added to. ids, targets: i32 [N], N
  // = B*T, target -1 is ignored; of a model of images, here and in evaluate(), ids are patches as
  // PatchEmbedding says and targets i32 [B], their classes. Gradients are those of scale * (sum of
  // losses). Adds to sums as CrossEntropyArgs says, in evaluate() too. `observer` is told of the
  // slots of all blocks, numbered as in dense_plan(). A teacher runs first, forward only, on the
  // same batch; of it the input of its head is kept, and its logits go through in chunks beside
  // this model's.
  void train(TensorRef ids, TensorRef targets, const BatchShape& shape, std::int64_t logit_chunk,
             GradientScale scale, TensorRef sums, const GradientObserver& observer = {},
             const Teacher& teacher = {});

  // Loss only; nothing is kept. targets: i32 [N], or [M] where scores.rows names M of the N rows.
  void evaluate(TensorRef ids, TensorRef targets, const BatchShape& shape, std::int64_t logit_chunk,
                TensorRef sums, const RowScores& scores = {});

  // The next positions of one sequence: ids i32 [T] follow what `cache` keeps and join it. logits:
  // f32 [R, V] of the last R of them. Preconditions: T more positions fit the cache and, where
  // positions are learned, the model's context.
  void infer(TensorRef ids, KvCache& cache, TensorRef logits);
  // Of a model of images: patches as in train() -> logits f32 [B, classes].
  void classify(TensorRef patches, const BatchShape& shape, TensorRef logits);

  // In a fixed order: embedding, learned positions, blocks, final norm, head with its bias.
  std::vector<Parameter*> parameters();
  // What the slots have beside these that training goes on from.
  std::vector<Subtokens*> subtokens();
  std::vector<GradientProjection*> projections();
  std::vector<Linear::Palettised> palettes();

 private:
  // Positions and first keys that the model needs and the caller did not give.
  struct Sight {
    Tensor positions, first_key;
    BatchShape shape;  // with them
  };
  Sight complete(const BatchShape& shape);
  Tensor inference_positions(std::int64_t first, std::int64_t count);
  // x [N, D] of ids (or patches) and, where they are learned, positions.
  Tensor embed(TensorRef ids, TensorRef positions);
  void embed_backward(TensorRef ids, TensorRef positions, TensorRef dx);
  TensorRef head_weight();
  // x [N, D] after the blocks, pooled where it is of images, with nothing kept.
  Tensor final_state(TensorRef ids, const BatchShape& shape);
  // The input of the head.
  Tensor head_input(TensorRef ids, const BatchShape& shape);
  // What a loss is told of a teacher beside its logits: the input of its head.
  struct Taught {
    Teacher teacher = {};
    TensorRef normed = {};
  };
  // Loss over x [N, D], in chunks of `loss` without its logits; if it writes gradients, x's is
  // returned and the head's is added to.
  Tensor head_loss(Tensor x, CrossEntropyArgs loss, std::int64_t chunk, const Taught& taught);
  // The loss of one chunk, with the teacher's logits in `teacher_logits`.
  void chunk_loss(TensorRef normed, const CrossEntropyArgs& loss, const Taught& taught,
                  TensorRef teacher_logits);

  Backend* backend_;
  ModelConfig model_;
  std::unique_ptr<Parameter> embedding_;     // null of images
  std::unique_ptr<PatchEmbedding> patches_;  // null of text
  std::unique_ptr<Parameter> positions_;     // null unless learned
  std::vector<std::unique_ptr<Block>> blocks_;
  Norm final_norm_;
  std::unique_ptr<Parameter> head_;       // null where tied
  std::unique_ptr<Parameter> head_bias_;  // null of text
};

}  // namespace lathe
