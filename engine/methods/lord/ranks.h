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
  kBudget         // a share of all these layers' parameters, spent greedily
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
  double value = 0.8;         // kRank: a rank from 1; otherwise a share in (0, 1]
  std::int64_t multiple = 1;  // ranks are multiples of it: rounded down, but at least one multiple
  std::vector<TypeFloor> floors;
  // kBudget: errors count as shares of each layer's energy, or as they are.
  bool relative_error = true;
};

struct RankLayer {
  LinearPlan slot;                          // the dense slot: name, sides, bias
  const LayerSpectrum* spectrum = nullptr;  // needed by kEnergy and kBudget
  bool adds_bias = false;                   // factoring gives it a bias that it had not
  double importance = 1;                    // kBudget: factor of this layer's error
};

// What was decided for one layer. Parameters include its bias.
struct RankVerdict {
  std::string name;
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t rank = 0;  // 0: stays dense
  std::int64_t params_before = 0;
  std::int64_t params_after = 0;
  double error_share = 0;  // layer error / energy; 0 without a spectrum
  std::string reason;      // why it stays dense: "rank 4915 of 6144x24576 saves nothing: ..."
};

// A layer is factored only if that takes at least this share of its parameters away.
inline constexpr double kLeastSaving = 0.001;

// One verdict per layer, in order. Errors (kUsage) name the option, or the least budget that the
// floors and multiples allow.
Result<std::vector<RankVerdict>> choose_ranks(std::span<const RankLayer> layers,
                                              const RankOptions& options);

// The three readings of "20 %" side by side, and what the model weighs.
struct RankSummary {
  std::int64_t layers = 0;
  std::int64_t factored = 0;
  double rank_cut = 0;     // 1 - sum of ranks / sum of smaller sides; dense cuts nothing
  double energy_kept = 1;  // mean of 1 - error_share over the layers
  std::int64_t layer_params_before = 0;  // of these layers
  std::int64_t layer_params_after = 0;
  std::int64_t params_before = 0;  // with the rest of the model
  std::int64_t params_after = 0;
  double bytes_before = 0;
  double bytes_after = 0;

  // "rank cut 39.58 %, parameters 15.5 G -> 12.6 G (1.24x), bytes 31.0 GB -> 25.1 GB, ..."
  std::string text() const;
};

// `other_params`: those of the model that no verdict covers. `bytes_per_param` may be a fraction.
RankSummary summarise(std::span<const RankVerdict> verdicts, std::int64_t other_params,
                      double bytes_per_param);

}  // namespace lathe
