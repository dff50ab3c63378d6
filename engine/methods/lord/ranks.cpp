// Rules that give ranks, and the account of what they save.
#include "engine/methods/lord/ranks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "engine/methods/lord/budget.h"

namespace lathe {
namespace {

// 367 as a share of 1600 is 366.99999... in binary.
std::int64_t floor_of(double rank) {
  return static_cast<std::int64_t>(std::floor(rank + 1e-9));
}

std::int64_t ceil_of(double rank) {
  return static_cast<std::int64_t>(std::ceil(rank - 1e-9));
}

std::int64_t rounded_up(std::int64_t rank, std::int64_t multiple) {
  return (rank + multiple - 1) / multiple * multiple;
}

std::int64_t smaller_side(const RankLayer& layer) {
  return std::min(layer.slot.in, layer.slot.out);
}

// r (m + n) = share m n
double rank_of_share(const RankLayer& layer, double share) {
  return share * static_cast<double>(layer.slot.in * layer.slot.out) /
         static_cast<double>(layer.slot.in + layer.slot.out);
}

std::string number(double value, const char* format) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

// "12.56 G": two decimals, where format.h gives three digits.
std::string decimal(double value) {
  constexpr std::array<const char*, 5> kUnits{" ", " k", " M", " G", " T"};
  std::size_t unit = 0;
  for (; value >= 999.995 && unit + 1 < kUnits.size(); ++unit) {
    value /= 1000;
  }
  return number(value, unit == 0 ? "%.0f" : "%.2f") + kUnits[unit];
}

// Whether each layer has the spectrum that the rule works from.
Result<void> check_spectra(std::span<const RankLayer> layers, const RankOptions& options) {
  if (options.rule != RankRule::kEnergy && options.rule != RankRule::kBudget) {
    return {};
  }
  for (const RankLayer& layer : layers) {
    if (layer.spectrum == nullptr) {
      return Error{ErrorKind::kUsage,
                   "rank rule " + std::string(enum_name(options.rule)) + " needs the spectrum of " +
                       layer.slot.name,
                   "decompose the layers first, or choose rank_fraction or param_share"};
    }
    CHECK(layer.spectrum->full_rank() == smaller_side(layer), "a spectrum of that layer");
  }
  return {};
}

// The share that the floors promise a layer of this type.
double floor_share(const RankLayer& layer, const RankOptions& options) {
  double share = 0;
  const std::optional<LayerType> type = layer_type(layer.slot.name);
  for (const TypeFloor& floor : options.floors) {
    if (type == floor.type) {
      share = std::max(share, floor.share);
    }
  }
  return share;
}

std::int64_t rank_keeping(const LayerSpectrum& spectrum, double share) {
  const double rest = spectrum.errors.back();
  const double allowed = rest + (1 - share) * (spectrum.energy() - rest);
  std::int64_t rank = 0;
  while (rank < spectrum.full_rank() && spectrum.layer_error(rank) > allowed) {
    ++rank;
  }
  return rank;
}

// What the rule asks for, before floors and break-even.
std::int64_t rank_by_rule(const RankLayer& layer, const RankOptions& options) {
  const auto down = [&](double rank) {
    return std::max(options.multiple, floor_of(rank) / options.multiple * options.multiple);
  };
  switch (options.rule) {
    case RankRule::kRank:
      return down(options.value);
    case RankRule::kRankFraction:
      return down(options.value * static_cast<double>(smaller_side(layer)));
    case RankRule::kParamShare:
      return down(rank_of_share(layer, options.value));
    case RankRule::kEnergy:
      return std::max(options.multiple,
                      rounded_up(rank_keeping(*layer.spectrum, options.value), options.multiple));
    case RankRule::kBudget:
      break;
  }
  CHECK(false, "the budget is spent over all layers at once");
}

std::string why_dense(const RankLayer& layer, const RankOptions& options, std::int64_t rank) {
  const std::string shape = std::to_string(layer.slot.out) + "x" + std::to_string(layer.slot.in);
  const std::string limit = "break-even is " + std::to_string(layer.break_even());
  if (floor_share(layer, options) >= 1) {
    return "layers " + std::string(enum_name(*layer_type(layer.slot.name))) + " are kept dense";
  }
  if (rank == 0) {
    return "factors of " + shape + " would cost nearly as much for the error they leave: " + limit;
  }
  return "rank " + std::to_string(rank) + " of " + shape + " saves nothing: " + limit;
}

RankVerdict verdict_on(const RankLayer& layer, const RankOptions& options, std::int64_t asked) {
  RankVerdict verdict{.name = layer.slot.name,
                      .out = layer.slot.out,
                      .in = layer.slot.in,
                      .params_before = layer.dense_params(),
                      .params_after = layer.dense_params()};
  const LayerSpectrum* spectrum = layer.spectrum;
  if (spectrum != nullptr) {
    verdict.error_share = 0;
  }
  const std::int64_t least = least_rank(layer, options);
  const std::int64_t rank = asked == 0 || least == 0 ? 0 : std::max(asked, least);
  const bool pays = layer.saves(rank) || (!options.break_even && rank < smaller_side(layer));
  if (rank == 0 || !pays) {
    verdict.reason = why_dense(layer, options, rank);
    return verdict;
  }
  verdict.rank = rank;
  verdict.params_after = layer.params_at(rank);
  if (spectrum != nullptr && spectrum->energy() > 0) {
    verdict.error_share = spectrum->layer_error(rank) / spectrum->energy();
  }
  return verdict;
}

}  // namespace

std::optional<LayerType> layer_type(std::string_view slot_name) {
  const std::string_view leaf = slot_name.substr(slot_name.rfind('.') + 1);
  const auto& names = EnumNames<LayerType>::names;
  const auto found = std::find(names.begin(), names.end(), leaf);
  if (found == names.end()) {
    return std::nullopt;
  }
  return static_cast<LayerType>(found - names.begin());
}

bool RankLayer::saves(std::int64_t rank) const {
  return static_cast<double>(params_at(rank)) <=
         (1 - kLeastSaving) * static_cast<double>(dense_params());
}

std::int64_t least_rank(const RankLayer& layer, const RankOptions& options) {
  const double share = floor_share(layer, options);
  if (share >= 1) {
    return 0;
  }
  return std::max(options.multiple,
                  rounded_up(ceil_of(rank_of_share(layer, share)), options.multiple));
}

Result<void> check_options(const RankOptions& options) {
  const std::string name = "rank rule " + std::string(enum_name(options.rule));
  const bool counts = options.rule == RankRule::kRank;
  const bool legal = counts ? options.value >= 1 && options.value <= 1 << 24
                            : options.value > 0 && options.value <= 1;
  if (!legal) {
    return Error{ErrorKind::kUsage, name + " got " + std::to_string(options.value),
                 counts ? "give a rank from 1" : "give a share above 0, at most 1"};
  }
  if (!options.break_even && options.rule == RankRule::kBudget) {
    return Error{ErrorKind::kUsage, "a budget of parameters with layers that may grow",
                 "leave break_even=true, or choose ranks by rank_fraction or energy"};
  }
  if (options.multiple < 1) {
    return Error{ErrorKind::kUsage, "ranks in multiples of " + std::to_string(options.multiple),
                 "give 1, or what the hardware likes: 8, 64, 128"};
  }
  for (const TypeFloor& floor : options.floors) {
    if (!(floor.share >= 0 && floor.share <= 1)) {
      return Error{ErrorKind::kUsage,
                   "a floor of " + std::to_string(floor.share) + " for layers " +
                       std::string(enum_name(floor.type)),
                   "give the share of parameters to keep, from 0 to 1"};
    }
  }
  return {};
}

Result<std::vector<RankVerdict>> choose_ranks(std::span<const RankLayer> layers,
                                              const RankOptions& options) {
  if (const Result<void> checked = check_options(options); !checked) {
    return checked.error();
  }
  if (const Result<void> checked = check_spectra(layers, options); !checked) {
    return checked.error();
  }
  std::vector<std::int64_t> ranks;
  if (options.rule == RankRule::kBudget) {
    Result<std::vector<std::int64_t>> spent = spend_budget(layers, options);
    if (!spent) {
      return spent.error();
    }
    ranks = std::move(spent).value();
  } else {
    for (const RankLayer& layer : layers) {
      ranks.push_back(rank_by_rule(layer, options));
    }
  }
  std::vector<RankVerdict> verdicts;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    verdicts.push_back(verdict_on(layers[i], options, ranks[i]));
  }
  return verdicts;
}

RankSummary summarise(std::span<const RankVerdict> verdicts, std::int64_t other_params,
                      double bytes_per_param) {
  RankSummary summary{.layers = static_cast<std::int64_t>(verdicts.size())};
  double ranks = 0;
  double sides = 0;
  double errors = 0;
  bool measured = true;
  for (const RankVerdict& verdict : verdicts) {
    const auto side = static_cast<double>(std::min(verdict.in, verdict.out));
    summary.factored += verdict.rank > 0 ? 1 : 0;
    ranks += verdict.rank > 0 ? static_cast<double>(verdict.rank) : side;
    sides += side;
    measured = measured && verdict.error_share.has_value();
    errors += verdict.error_share.value_or(0);
    summary.layer_params_before += verdict.params_before;
    summary.layer_params_after += verdict.params_after;
  }
  if (!verdicts.empty()) {
    summary.rank_cut = 1 - ranks / sides;
  }
  if (!verdicts.empty() && measured) {
    summary.energy_kept = 1 - errors / static_cast<double>(verdicts.size());
  }
  summary.params_before = summary.layer_params_before + other_params;
  summary.params_after = summary.layer_params_after + other_params;
  summary.bytes_before = static_cast<double>(summary.params_before) * bytes_per_param;
  summary.bytes_after = static_cast<double>(summary.params_after) * bytes_per_param;
  return summary;
}

std::string RankSummary::text() const {
  const double times = params_after == 0
                           ? 1
                           : static_cast<double>(params_before) / static_cast<double>(params_after);
  return std::to_string(factored) + " of " + std::to_string(layers) +
         " layers in two factors: rank cut " + number(100 * rank_cut, "%.2f") + " %, parameters " +
         decimal(static_cast<double>(params_before)) + " -> " +
         decimal(static_cast<double>(params_after)) + " (" + number(100 * (1 - 1 / times), "%.2f") +
         " % less, " + number(times, "%.2f") + "x), bytes " + decimal(bytes_before) + "B -> " +
         decimal(bytes_after) + "B" +
         (energy_kept ? ", energy kept " + number(100 * *energy_kept, "%.2f") + " %" : "");
}

}  // namespace lathe
