// How long and in what portions a run trains, and when it measures and saves.
#pragma once

#include <cstdint>

#include "engine/base/describe.h"
#include "engine/nn/activation_store.h"
#include "engine/nn/recompute.h"
#include "engine/nn/weight_store.h"

namespace lathe {

// What of a model is trained. The others are frozen: no gradient, no state in the optimizer.
enum class TrainedParts : std::uint8_t { kAll, kFactors, kFactorA, kFactorB };
template <>
struct EnumNames<TrainedParts> {
  static constexpr std::array<std::string_view, 4> names{"all", "factors", "factor_a", "factor_b"};
};

struct TrainConfig {
  std::int64_t steps = 200;
  std::int64_t batch_size = 8;
  std::int64_t seq_len = 256;
  std::int64_t grad_accum = 1;
  std::int64_t eval_every = 50;
  std::int64_t eval_batches = 8;
  std::int64_t checkpoint_every = 100;
  std::int64_t checkpoints_kept = 2;
  std::int64_t logit_chunk = 0;
  WeightStore weights = WeightStore::kF32;
  std::int64_t metrics_every = 1;
  bool graph = false;
  ActivationStore activations = ActivationStore::kF32;
  TrainedParts parts = TrainedParts::kAll;
  FrozenStore frozen = FrozenStore::kFile;
  std::int64_t frozen_bits = 4;
  std::int64_t frozen_group = 64;
  Recompute recompute = Recompute::kCheap;
  std::int64_t probe_every = 0;
  bool int8_products = false;
  double int8_threshold = 6.0;

  static constexpr auto fields() {
    using C = TrainConfig;
    return std::tuple{
        field("steps", &C::steps,
              {.lo = 1,
               .hi = 1e9,
               .log = true,
               .sweep = true,
               .unit = "steps",
               .help = "optimizer steps of the run"}),
        field("batch_size", &C::batch_size,
              {.lo = 1,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .structural = true,
               .unit = "sequences",
               .help = "sequences per forward pass"}),
        field("seq_len", &C::seq_len,
              {.lo = 2,
               .hi = 131072,
               .log = true,
               .sweep = true,
               .structural = true,
               .unit = "tokens",
               .help = "length of a sequence"}),
        field("grad_accum", &C::grad_accum,
              {.lo = 1,
               .hi = 4096,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "forward and backward passes per optimizer step"}),
        field("eval_every", &C::eval_every,
              {.lo = 0,
               .hi = 1e9,
               .log = true,
               .unit = "steps",
               .help = "held-out evaluation every so many steps and at the end; 0 means never"}),
        field("eval_batches", &C::eval_batches,
              {.lo = 1, .hi = 1e6, .log = true, .help = "batches of one evaluation"}),
        field("checkpoint_every", &C::checkpoint_every,
              {.lo = 0,
               .hi = 1e9,
               .log = true,
               .unit = "steps",
               .help = "a checkpoint every so many steps and at the end; 0 means only at the end"}),
        field("checkpoints_kept", &C::checkpoints_kept,
              {.lo = 0,
               .hi = 1e6,
               .help = "how many of a run's checkpoints stay, the newest; 0 means all"}),
        field("logit_chunk", &C::logit_chunk,
              {.lo = 0,
               .hi = 1 << 20,
               .structural = true,
               .unit = "tokens",
               .help = "tokens whose logits are held at once in the loss; 0 chooses about 16 MiB"}),
        field(
            "weights", &C::weights,
            {.sweep = true,
             .structural = true,
             .help = "how slots, embedding and head are kept: f32; bf16_master, 2 bytes where the "
                     "model computes and an f32 copy that is updated; bf16_stochastic, 2 bytes "
                     "alone, updates rounded at random by seed and step"}),
        field("metrics_every", &C::metrics_every,
              {.lo = 1,
               .hi = 4096,
               .log = true,
               .structural = true,
               .unit = "steps",
               .help = "how many steps are issued before the processor waits for their figures; "
                       "all of them are recorded"}),
        field("graph", &C::graph,
              {.structural = true,
               .help = "a step is recorded once and issued as a whole from then on, a CUDA graph; "
                       "on devices alone, and of no influence on the numbers"}),
        field(
            "activations", &C::activations,
            {.sweep = true,
             .structural = true,
             .help = "how blocks keep q, k, v, attention's output, gate and up for backward: f32; "
                     "bf16, rounded in forward before they are used"}),
        field("parts", &C::parts,
              {.sweep = true,
               .structural = true,
               .help = "what is trained: all; or of slots that are two factors B A (low rank, "
                       "decomposed) factors, factor_a or factor_b alone, the rest frozen"}),
        field("frozen", &C::frozen,
              {.sweep = true,
               .structural = true,
               .help = "type of the matrices that adapters leave as they are: that of model.from's "
                       "file, or what they are rounded to when the run begins, embedding and head "
                       "to f16 then (QLoRA); without a model.from it can be planned, not run"}),
        field("frozen_bits", &C::frozen_bits,
              {.lo = 2,
               .hi = 8,
               .sweep = true,
               .structural = true,
               .help = "of a level, with train.frozen=int"}),
        field("frozen_group", &C::frozen_group,
              {.lo = 32,
               .hi = 128,
               .log = true,
               .sweep = true,
               .structural = true,
               .help = "neighbours in a row with one scale and one offset, with train.frozen=int: "
                       "32, 64 or 128"}),
        field("recompute", &C::recompute,
              {.sweep = true,
               .structural = true,
               .help = "what backward computes again rather than to have it kept: none; cheap, "
                       "normalised inputs and what goes into down; blocks, all but each block's "
                       "input (gradient checkpointing)"}),
        field("probe_every", &C::probe_every,
              {.lo = 0,
               .hi = 1e9,
               .log = true,
               .unit = "steps",
               .help = "every so many steps what VeLoRA keeps of inputs and gradients is measured "
                       "on held-out rows, at the cost of two steps; 0 means never"}),
        field("int8_products", &C::int8_products,
              {.sweep = true,
               .structural = true,
               .help = "forward products with matrices of int8_row are in integers, activations "
                       "rounded to 8 bits row by row (LLM.int8); gradients stay in floats"}),
        field("int8_threshold", &C::int8_threshold,
              {.lo = 0,
               .hi = 1e6,
               .sweep = true,
               .structural = true,
               .help = "int8_products: columns of activations that reach it are multiplied in "
                       "floats (outliers); 0: none"})};
  }
};
static_assert(complete<TrainConfig>());

}  // namespace lathe
