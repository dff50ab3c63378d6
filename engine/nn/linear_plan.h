// What is decided for one linear slot before any memory is taken: its shape and how its weight is
// stored. Methods edit these plans; the model is then built from them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/nn/model_config.h"
#include "engine/ops/op_args.h"

namespace lathe {

enum class LinearStorage : std::uint8_t { kDense, kLowRank };

// How the factors of a low-rank slot start (engine/methods/low_rank/README.md names the sources).
enum class FactorInit : std::uint8_t { kSpectral, kScaledNormal, kCola };

// How an adapter starts (engine/methods/lora/README.md).
// kLoftq: as kDefault, and then as the model that it stands beside brings it.
enum class AdapterInit : std::uint8_t { kDefault, kPissa, kLoftq };

// What is trained beside a slot's weight; the weight, its factors and bias are then frozen. Of y0,
// what the slot makes of x without it:
// LoRA: y = y0 + scale B A x. Hydra (arXiv 2309.06922): y = y0 + scale B A x + scale B2 A2 y0.
// SSF (arXiv 2210.08823): y = gamma y0 + beta, by elements.
struct AdapterPlan {
  std::int64_t rank = 0;         // of B A; 0: none
  std::int64_t output_rank = 0;  // of B2 A2, beside B A; 0: none
  bool scale_shift = false;      // gamma and beta, without the others
  double scale = 1.0;            // LoRA: alpha / rank
  AdapterInit init = AdapterInit::kDefault;
  double dropout = 0;              // share of its input that is dropped in training
  bool rest_trained = false;       // what of the model has no adapter is trained, too
  std::int64_t restart_every = 0;  // steps; 0: never
  double restart_prune = 0;
  std::int64_t restart_warmup = 0;

  bool any() const { return rank > 0 || scale_shift; }
  // Numbers of one beside a weight [out, in].
  std::int64_t params(std::int64_t in, std::int64_t out) const {
    return rank * (in + out) + output_rank * 2 * out + (scale_shift ? 2 * out : 0);
  }
  // Whether the weight beside it is written to, though it is not trained.
  bool changes_weight() const {
    return rank > 0 && (init == AdapterInit::kPissa || restart_every > 0);
  }
};

// Where the direction of a slot's sub-tokens comes from (engine/methods/velora/README.md): the mean
// sub-token of the first batch, of each, or of those so far; random numbers; the leading singular
// vector of the first batch's.
enum class DirectionInit : std::uint8_t { kFirstBatch, kEveryBatch, kEma, kRandom, kSvd };

// VeLoRA (arXiv 2405.17991): backward has one number for each sub-token of the input, cut into
// `groups` of them, and makes the gradient of the matrix that reads it (or of the adapter's A) from
// these. Of SSF the input is y0, which gamma reads; of Hydra y0 is a second one, which A2 reads.
struct SubtokenPlan {
  std::int64_t groups = 0;  // g, divides the input; 0: the input itself is there for backward
  std::int64_t output_groups = 0;  // of Hydra's y0
  double scale = 1.0;              // of that gradient
  DirectionInit init = DirectionInit::kFirstBatch;
  double decay = 0;       // kEma: of the direction that was
  bool rebuilt = false;   // the gradient is a product with the input rebuilt, as in the paper
  bool factored = false;  // the optimizer sees a number for each sub-token of a row of the weight
};

// GaLore (arXiv 2403.03507): of the gradient of W [out, in] the optimizer sees what lies along
// `rank` directions of W's smaller side, its leading singular vectors at the step that chose them.
struct GalorePlan {
  std::int64_t rank = 0;          // r, at most the smaller side; 0: it sees all
  double scale = 1.0;             // alpha, of what the optimizer makes of that
  std::int64_t update_every = 1;  // T: steps 0, T, 2 T, ... choose directions anew
  bool per_layer = false;         // projected in backward, so that no gradient of W is kept
};

// How the first centroids of a palette are found: the least squared error (of single weights the
// exact optimum, of several k-means++), or the levels of normally distributed weights.
enum class PaletteInit : std::uint8_t { kKmeans, kNormal };

// What the weights of a row are divided by before they are compared: nothing, their largest size,
// or half the distance between their largest and their least.
enum class PaletteScale : std::uint8_t { kNone, kLargest, kRange };

// What is kept of soft k-means between forward and backward: nothing of the weights' size, or maps
// as a graph keeps them (engine/nn/palette_maps.h).
enum class PaletteMemory : std::uint8_t { kTable, kUniquified, kMarshaled, kNaive };

// DKM (arXiv 2108.12659): the product reads, in the place of the weight, what a soft k-means draws
// it to, and in evaluation the nearest of `clusters` centroids, as a palette stores it.
struct PalettePlan {
  std::int64_t clusters = 0;    // K; 0: the weight itself
  std::int64_t dim = 1;         // neighbours of a row that are drawn together; divides the columns
  std::int64_t rows = 0;        // that have a palette of their own, divides those; 0: all
  std::int64_t iterations = 1;  // of k-means in a step
  double temperature = 1.0;     // tau
  bool relative = true;         // tau is that times the squared mean gap of the first centroids
  double floor = 0;             // of attention
  PaletteInit init = PaletteInit::kKmeans;
  PaletteScale scale = PaletteScale::kNone;
  DType codes = DType::kF16;   // in which f32 weights are compared, where dim is 1
  std::int64_t begins_at = 0;  // steps done before
  PaletteMemory memory = PaletteMemory::kTable;
  DType maps = DType::kBf16;  // of those that are kept, or f32
  std::int64_t learners = 1;  // over which their rows are shared out
  double stddev = 0.02;       // of weights whose distinct values are only planned
  // Embedding and head are stored as palettes of 8 bits beside it; they are trained as they are.
  bool tables = false;

  bool any() const { return clusters > 0; }
};

struct LinearPlan {
  std::string name;        // module path, "layers.3.attention.q"
  std::int64_t in = 0;     // columns n of W [out, in]
  std::int64_t out = 0;    // rows m
  double init_std = 0.02;  // of the dense weight it stands for
  LinearStorage storage = LinearStorage::kDense;
  // Its matrices are frozen, in the types that a file stores them in, and come after construction.
  bool given = false;
  std::int64_t rank = 0;  // kLowRank: y = B f(A x), A [rank, in], B [out, rank]
  Activation between = Activation::kNone;
  FactorInit init = FactorInit::kSpectral;
  DType dtype = DType::kF32;  // of trained matrices: f32 or bf16
  bool bias = false;          // y += b, b [out], after any storage
  AdapterPlan adapter = {};
  SubtokenPlan subtokens = {};
  GalorePlan galore = {};    // of a dense weight that is trained
  PalettePlan palette = {};  // of each matrix
  // Of matrices that are given as int8_row: forward multiplies in integers, with this threshold
  // (Int8MatmulArgs).
  std::optional<double> int8_threshold = {};

  // How long the input is that `subtokens` cut.
  std::int64_t cut_width() const { return adapter.scale_shift ? out : in; }
  // Largest rank at which two factors hold fewer parameters than the dense weight:
  // r < m n / (m + n).
  std::int64_t break_even_rank() const { return (in * out - 1) / (in + out); }
  std::int64_t params() const {
    const std::int64_t added = (bias ? out : 0) + adapter.params(in, out);
    return (storage == LinearStorage::kLowRank ? rank * (in + out) : in * out) + added;
  }
};

bool any_factored(const std::vector<LinearPlan>& slots);

// The names of a slot's matrices, the one that reads its input first.
std::vector<std::string> matrices_of(const LinearPlan& plan);

// The linear slots of a model in forward order, all dense: q, k, v, o, gate (where the MLP has
// one), up, down of each block; ModelConfig::slots_per_block() of them.
std::vector<LinearPlan> dense_plan(const ModelConfig& model);

}  // namespace lathe
