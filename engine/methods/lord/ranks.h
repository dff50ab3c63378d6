// Which layer gets which rank: by one number for all, by energy, or by a budget of parameters spent
// where it removes most error. Says of each layer why, and of the whole what it saves.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/describe.h"
#include "engine/base/result.h"
#include "engine/methods/lord/solver.h"
#include "engine/nn/linear_plan.h"

namespace lathe {

enum class LayerType : std::uint8_t { kQuery, kKey, kValue, kOutput, kGate, kUp, kDown };
template <>
struct EnumNames<LayerType> {
  static constexpr std::array<std::string_view, 7> names{"q", "k", "v", "o", "gate", "up", "down"};
};

// By the last part of a slot's path: "layers.3.attention.v" is kValue.
std::optional<LayerType> layer_type(std::string_view slot_name);

enum class RankRule : std::uint8_t {
  kRank,          // the value itself, for all layers
  kRankFraction,  // a share of each layer's smaller side (LoRD)
  kParamShare,    // a share of each layer's parameters: r = share m n / (m + n) (SVD-LLM)
  kEnergy,        // the least rank that keeps this share of each layer's output energy
  kBudget         // a share of all these layers' parameters (biases too), spent greedily
};
template <>
struct EnumNames<RankRule> {
  static constexpr std::array<std::string_view, 5> names{"rank", "rank_fraction", "param_share",
                                                         "energy", "budget"};
};

// Layers of this type keep at least this share of their parameters; 1: they stay dense.
struct TypeFloor {
  LayerType type = LayerType::kValue;
  double share = 1;
};

struct RankOptions {
  RankRule rule = RankRule::kBudget;
  double value = 0.8;  // kRank: a rank from 1; otherwise a share in (0, 1]
  // Ranks are multiples of it (1, 8, 64, 128): rounded down, but at least one multiple; kEnergy and
  // floors, which promise something, round up.
  std::int64_t multiple = 1;
  std::vector<TypeFloor> floors = {};
  // kBudget: errors count as shares of each layer's energy, or as they are.
  bool relative_error = true;
  // False factors a layer also where that saves nothing, below full rank: papers that count ranks
  // alone do. Not kBudget.
  bool break_even = true;
};

// A layer is factored only if that takes at least this share of its parameters away.
inline constexpr double kLeastSaving = 0.001;

struct RankLayer {
  LinearPlan slot = {};                     // the dense slot: name, sides, bias
  const LayerSpectrum* spectrum = nullptr;  // needed by kEnergy and kBudget
  bool adds_bias = false;                   // factoring gives it a bias that it had not
  double importance = 1;                    // kBudget: factor of this layer's error

  // Weight and bias, dense and as factors of that rank.
  std::int64_t dense_params() const { return slot.in * slot.out + (slot.bias ? slot.out : 0); }
  std::int64_t params_at(std::int64_t rank) const {
    return rank * (slot.in + slot.out) + (slot.bias || adds_bias ? slot.out : 0);
  }
  // Largest rank whose factors, with the bias they add, hold fewer parameters than the dense layer.
  std::int64_t break_even() const {
    return (dense_params() - params_at(0) - 1) / (slot.in + slot.out);
  }
  // Whether factors of that rank take kLeastSaving of the parameters away.
  bool saves(std::int64_t rank) const;
};

// What was decided for one layer. Parameters include its bias.
struct RankVerdict {
  std::string name = {};
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t rank = 0;  // 0: stays dense
  std::int64_t params_before = 0;
  std::int64_t params_after = 0;
  std::optional<double> error_share = {};  // layer error / energy; empty without a spectrum
  std::string reason = {};  // why it stays dense: "rank 4915 of 6144x24576 saves nothing: ..."
};

// What is wrong with the options whatever the layers are (kUsage).
Result<void> check_options(const RankOptions& options);

// One verdict per layer, in order. Errors (kUsage) name the option, or the least budget that the
// floors and multiples allow.
Result<std::vector<RankVerdict>> choose_ranks(std::span<const RankLayer> layers,
                                              const RankOptions& options);

// The three readings of "20 %" side by side, and what the model weighs.
struct RankSummary {
  std::int64_t layers = 0;
  std::int64_t factored = 0;
  double rank_cut = 0;  // 1 - sum of ranks / sum of smaller sides; dense cuts nothing
  std::optional<double> energy_kept = {};  // mean of 1 - error_share; empty unless all are known
  std::int64_t layer_params_before = 0;    // of these layers
  std::int64_t layer_params_after = 0;
  std::int64_t params_before = 0;  // with the rest of the model
  std::int64_t params_after = 0;
  double bytes_before = 0;
  double bytes_after = 0;

  // "80 of 80 layers in two factors: rank cut 39.58 %, parameters 15.52 G -> 12.56 G (19.06 % less,
  // 1.24x), bytes 31.03 GB -> 25.12 GB, energy kept 99.10 %"
  std::string text() const;
};

// `other_params`: those of the model that no verdict covers. `bytes_per_param` may be a fraction.
RankSummary summarise(std::span<const RankVerdict> verdicts, std::int64_t other_params,
                      double bytes_per_param);

}  // namespace lathe
