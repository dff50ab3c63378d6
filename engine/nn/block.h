// One decoder block: x + attention(norm(x)), then + mlp(norm(.)), with its backward. Between the
// two passes it keeps block input, q, k, v, attention output, mid residual, gate and up, and,
// unless they are computed again (recompute.h), what slots read: normalised inputs, the MLP's
// hidden values.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/nn/activation_store.h"
#include "engine/nn/kv_cache.h"
#include "engine/nn/linear.h"
#include "engine/nn/model_config.h"
#include "engine/nn/norm.h"
#include "engine/nn/recompute.h"

namespace lathe {

// Extents of a batch and, where defined, each row's own position and first visible key (op_args.h),
// for several samples packed in a row: i32 [B, T]. First keys that are given are no further back
// than the model's window.
struct BatchShape {
  std::int64_t batch = 1;
  std::int64_t seq_len = 1;
  TensorRef positions = {};
  TensorRef first_key = {};
  std::int64_t tokens() const { return batch * seq_len; }
};

// Moves first keys of rows of seq_len tokens up to where a window of so many ends; 0 is none.
void limit_to_window(std::span<std::int32_t> first_keys, std::int64_t seq_len, std::int64_t window);

// What one block keeps for backward; every tensor is freed as soon as backward has used it. In f32,
// or in bf16 between the passes: q, k, v, attended, gate, up and the inputs of slots, which are
// kept where none is computed again and a slot of those that share one needs it.
struct BlockSaved {
  Tensor x, q, k, v, attended, lse;
  Tensor mid, gate, up;  // gate: only of an MLP that has one
  Tensor attention_input, mlp_input, hidden;
  NormSaved attention_norm, mlp_norm;
  LinearSaved q_in, k_in, v_in, o_in, gate_in, up_in, down_in;
};

// What the linear slots of a block read (several slots share one of them), then what the slots o
// and down make of theirs, bias included, before it is added to the residual.
enum class BlockValue : std::uint8_t { kAttention, kOutput, kMlp, kDown, kOutputMade, kDownMade };
inline constexpr std::size_t kBlockInputs = 4;
inline constexpr std::size_t kBlockValues = 6;
// The input of slot `slot` of a block, in the order of dense_plan().
BlockValue input_of_slot(const ModelConfig& model, std::int64_t slot);

// Told each of them, [N, width], as a forward pass makes it.
using BlockObserver = std::function<void(BlockValue, TensorRef)>;
// Told the gradient of each slot's output, [N, out], as a backward pass makes it; slots count as in
// dense_plan(), from 0 in each block.
using GradientObserver = std::function<void(std::int64_t slot, TensorRef dy)>;

class Block {
 public:
  // `plans`: the block's slots in the order of dense_plan().
  Block(Backend& backend, const ModelConfig& model, std::int64_t index, const LinearPlan* plans);

  void initialise(std::uint64_t seed, std::uint64_t first_stream);
  // Linear::start_adapter() of all slots.
  void start_adapters(std::uint64_t seed, std::uint64_t first_stream, std::uint64_t cycle);

  // Linear::draw_dropout() of all slots.
  void draw_dropout(const DropoutDraw& draw, std::int64_t first_site);

  void keep_activations(ActivationStore store, Recompute recompute);

  // x [N, D] -> the block's output. With `saved` null nothing is kept.
  Tensor forward(Tensor x, const BatchShape& shape, BlockSaved* saved,
                 const BlockObserver& observer = {});

  // x [T, D], the newest T positions of the one sequence that `cache` keeps, layer `index` of it ->
  // the block's output. Writes their keys and values behind cache.length().
  Tensor infer(Tensor x, const KvCache& cache, std::int64_t index);

  // dy [N, D], the gradient of the output, becomes that of the input, in place.
  void backward(TensorRef dy, const BatchShape& shape, BlockSaved saved,
                const GradientObserver& observer = {});

  void append_parameters(std::vector<Parameter*>& out);
  void append_subtokens(std::vector<Subtokens*>& out);
  void append_projections(std::vector<GradientProjection*>& out);
  void append_palettes(std::vector<Linear::Palettised>& out);

 private:
  // forward(), whatever is computed again.
  Tensor pass(Tensor x, const BatchShape& shape, BlockSaved* saved, const BlockObserver& observer);
  Tensor attention_forward(TensorRef x, const BatchShape& shape, BlockSaved& saved, bool keep,
                           const BlockObserver& observer);
  Tensor mlp_forward(TensorRef mid, const BatchShape& shape, BlockSaved& saved, bool keep,
                     const BlockObserver& observer);
  Tensor attend_cached(TensorRef x, const KvCache& cache, std::int64_t index);
  void mlp_backward(TensorRef dy, const BatchShape& shape, BlockSaved& saved,
                    const GradientObserver& observer);
  void attention_backward(TensorRef dy, const BatchShape& shape, BlockSaved& saved,
                          const GradientObserver& observer);
  void activate(const BlockSaved& saved, TensorRef hidden);
  Tensor hidden_again(BlockSaved& saved);
  void hidden_backward(const BlockSaved& saved, Tensor& dhidden);
  Tensor normed(TensorRef x, Norm& norm, NormSaved* saved, bool kept = false);
  Tensor input_memory(const char* name, Shape shape, bool kept);
  const Linear* gate() const { return gate_ ? &*gate_ : nullptr; }
  // Whether a forward pass that keeps keeps an input of these slots.
  bool keeps_input(std::initializer_list<const Linear*> slots) const;
  // The input of slots in backward: what was kept, or the norm of x again; undefined where none of
  // them needs it.
  Tensor input_again(Tensor kept, std::initializer_list<const Linear*> slots, TensorRef x,
                     Norm& norm);
  RopeArgs rotation(TensorRef x, std::int64_t heads) const;
  // Of an MLP without a gate.
  Activation hidden_activation() const {
    return model_.mlp == MlpKind::kGelu ? Activation::kGelu : Activation::kGeluTanh;
  }
  bool rotates() const { return model_.positions == PositionKind::kRope; }
  Tensor attention_scratch();
  Tensor rounded(TensorRef x, const char* name, bool keep);
  void restore(Tensor& saved, const char* name);
  // In the order of dense_plan().
  std::vector<Linear*> slots();

  Backend* backend_;
  std::string name_;
  ModelConfig model_;
  DType kept_type_ = DType::kF32;
  Recompute recompute_ = Recompute::kCheap;
  std::int64_t dim_, heads_, kv_heads_, q_dim_, kv_dim_, ff_;
  Norm attention_norm_, mlp_norm_;
  Linear q_, k_, v_, o_;
  std::optional<Linear> gate_;
  Linear up_, down_;
};

}  // namespace lathe
