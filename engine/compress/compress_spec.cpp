// From a spec to what solvers and allocators take.
#include "engine/compress/compress_spec.h"

#include "engine/base/json.h"

namespace lathe {
namespace {

constexpr double kUsualBudget = 0.8;

// What LoftQ cannot be combined with. Precondition: quant.type is not kNone.
Result<void> check_loftq(const CompressSpec& spec) {
  const QuantConfig& quant = spec.quant;
  if (quant.loftq_rank == 0) {
    return {};
  }
  const std::string what = "quant.loftq_rank=" + std::to_string(quant.loftq_rank);
  if (quant.type == QuantType::kSpqr || quant.rounding == RoundingRule::kGptq) {
    return Error{ErrorKind::kUsage,
                 what +
                     " makes up for weights rounded to nearest; gptq and spqr round for the "
                     "inputs instead",
                 "choose quant.rounding=nearest and another type than spqr, or leave it out"};
  }
  if (quant.type == QuantType::kPalette) {
    return Error{ErrorKind::kUsage,
                 what + " rounds again and again, for which palettes are not made",
                 "choose another quant.type, or leave it out"};
  }
  if (spec.decompose) {
    return Error{ErrorKind::kUsage, what + " has its place beside dense layers",
                 "set decompose=false, or leave it out"};
  }
  return {};
}

}  // namespace

std::vector<LayerType> target_types(CompressTarget target) {
  using enum LayerType;
  switch (target) {
    case CompressTarget::kAttention:
      return {kQuery, kKey, kValue, kOutput};
    case CompressTarget::kMlp:
      return {kGate, kUp, kDown};
    case CompressTarget::kAll:
      break;
  }
  return {kQuery, kKey, kValue, kOutput, kGate, kUp, kDown};
}

Result<RankOptions> rank_options(const CompressSpec& spec) {
  const std::array<std::pair<RankRule, double>, 5> rules{{
      {RankRule::kRank, static_cast<double>(spec.rank)},
      {RankRule::kRankFraction, spec.rank_fraction},
      {RankRule::kParamShare, spec.param_share},
      {RankRule::kEnergy, spec.energy},
      {RankRule::kBudget, spec.budget},
  }};
  RankOptions options;
  options.value = kUsualBudget;
  options.multiple = spec.multiple;
  options.break_even = spec.break_even;
  std::string given;
  for (const auto& [rule, value] : rules) {
    if (value > 0) {
      if (!given.empty()) {
        return Error{ErrorKind::kUsage,
                     given + " and " + std::string(enum_name(rule)) + " are both given",
                     "give one of rank, rank_fraction, param_share, energy and budget"};
      }
      given = std::string(enum_name(rule));
      options.rule = rule;
      options.value = value;
    }
  }
  if (spec.max_rise > 0) {
    if (!given.empty() || spec.along == RankRule::kRank || spec.heldout_windows == 0) {
      const std::string what = !given.empty() ? given + " is given, and max_rise"
                               : spec.along == RankRule::kRank
                                   ? "along=rank is no share"
                                   : "max_rise without held-out text (heldout_windows=0)";
      return Error{ErrorKind::kUsage, what,
                   "max_rise finds the value itself, along budget, rank_fraction, param_share or "
                   "energy"};
    }
    options.rule = spec.along;
    options.value = 1;
  }
  if (spec.value_share > 0) {
    options.floors.push_back({LayerType::kValue, spec.value_share});
  }
  if (const Result<void> legal = check_options(options); !legal) {
    return legal.error();
  }
  return options;
}

CompressSpec with_share(CompressSpec spec, double share) {
  const RankRule rule = spec.along;
  spec.max_rise = CompressSpec().max_rise;
  spec.along = CompressSpec().along;
  switch (rule) {
    case RankRule::kRankFraction:
      spec.rank_fraction = share;
      break;
    case RankRule::kParamShare:
      spec.param_share = share;
      break;
    case RankRule::kEnergy:
      spec.energy = share;
      break;
    case RankRule::kBudget:
      spec.budget = share;
      break;
    case RankRule::kRank:
      CHECK(false, "a rank is no share");
  }
  return spec;
}

LordSolverOptions solver_options(const CompressSpec& spec) {
  return {.solver = spec.solver, .asvd_alpha = spec.asvd_alpha, .ridge = spec.ridge};
}

Result<StoredType> stored_type_of(const QuantConfig& config) {
  CHECK(config.type != QuantType::kNone, "a type to store in");
  if (config.rounding == RoundingRule::kGptq &&
      (config.type == QuantType::kNf4Double || config.type == QuantType::kInt8Row ||
       config.type == QuantType::kPalette)) {
    return Error{ErrorKind::kUsage,
                 "quant.rounding=gptq rounds nf4 and int; the scales of nf4_dq and int8_row and "
                 "the values of palettes are fitted to the weights as they are",
                 "choose quant.rounding=nearest, or quant.type=nf4 or int"};
  }
  switch (config.type) {
    case QuantType::kNf4:
      return StoredType::kNf4;
    case QuantType::kNf4Double:
      return StoredType::kNf4Double;
    case QuantType::kInt8Row:
      return StoredType::kInt8Row;
    case QuantType::kSpqr:
      if (config.bits == 3 || config.bits == 4) {
        return config.bits == 3 ? StoredType::kSpqr3 : StoredType::kSpqr4;
      }
      return Error{ErrorKind::kUsage,
                   "quant.bits=" + std::to_string(config.bits) + " is no width of spqr",
                   "choose 3 or 4"};
    case QuantType::kPalette:
      return palette_dtype(static_cast<int>(config.bits), static_cast<int>(config.palette_dim));
    default:
      break;
  }
  if (config.bits < kFewestGroupBits) {
    return Error{ErrorKind::kUsage,
                 "quant.bits=" + std::to_string(config.bits) + " is no width of int",
                 "choose 2 to 8, or quant.type=palette"};
  }
  const DType type = group_dtype(static_cast<int>(config.bits), static_cast<int>(config.group));
  if (!has_grid(type)) {
    return Error{ErrorKind::kUsage,
                 "quant.group=" + std::to_string(config.group) + " is no size of a group",
                 "choose 32, 64 or 128"};
  }
  return type;
}

namespace {

// What a palette has beside its type: " 12 clusters, 16 rows, scaled, fisher".
std::string palette_text(const QuantConfig& config) {
  std::string text;
  if (config.clusters > 0) {
    text.append(" ").append(std::to_string(config.clusters)).append(" clusters");
  }
  if (config.palette_rows > 0) {
    text.append(text.empty() ? " " : ", ").append(std::to_string(config.palette_rows));
    text.append(" rows");
  }
  if (config.palette_scale) {
    text.append(text.empty() ? " scaled" : ", scaled");
  }
  if (config.weighting == ClusterWeighting::kFisher) {
    text.append(text.empty() ? " fisher" : ", fisher");
  }
  return text;
}

}  // namespace

std::string stored_text(const QuantConfig& config) {
  const StoredType type = *stored_type_of(config);
  std::string text(info_of(type).name);
  if (config.type == QuantType::kPalette) {
    text.append(palette_text(config));
  } else if (spqr_bits(type) == 0) {
    text.append(" ").append(enum_name(config.rounding));
  }
  if (config.loftq_rank > 0) {
    text.append(" loftq").append(std::to_string(config.loftq_rank));
  }
  return text;
}

Result<StoreOptions> store_options(const CompressSpec& spec) {
  const auto type = stored_type_of(spec.quant);
  if (!type) {
    return type.error();
  }
  if (const Result<void> sensible = check_loftq(spec); !sensible) {
    return sensible.error();
  }
  const PaletteOptions palette{.clusters = spec.quant.clusters,
                               .rows_per_palette = spec.quant.palette_rows,
                               .row_scales = spec.quant.palette_scale};
  if (spec.quant.type == QuantType::kPalette) {
    if (const auto clusters = palette_clusters(*type, palette); !clusters) {
      return clusters.error();
    }
  }
  return StoreOptions{.type = *type,
                      .rounding = spec.quant.rounding,
                      .gptq = {.damp = spec.quant.damp, .by_activity = spec.quant.by_activity},
                      .spqr = {.damp = spec.quant.damp,
                               .threshold = spec.quant.threshold,
                               .by_activity = spec.quant.by_activity},
                      .palette = palette,
                      .weighting = spec.quant.weighting};
}

bool reads_text(const CompressSpec& spec) {
  const QuantConfig& quant = spec.quant;
  return spec.decompose || spec.heldout_windows > 0 || quant.type == QuantType::kSpqr ||
         quant.rounding == RoundingRule::kGptq ||
         (quant.type == QuantType::kPalette && quant.weighting == ClusterWeighting::kFisher);
}

bool share_decomposition(const CompressSpec& a, const CompressSpec& b) {
  return a.decompose == b.decompose && a.solver == b.solver && a.target == b.target &&
         a.asvd_alpha == b.asvd_alpha && a.weigh == b.weigh &&
         to_json(a.calibration) == to_json(b.calibration) && to_json(a.data) == to_json(b.data);
}

}  // namespace lathe
