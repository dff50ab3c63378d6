// What is to be made of a model, decomposed, stored in fewer bits or both, completely described, as
// the command line, the window and the store share it.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/describe.h"
#include "engine/base/result.h"
#include "engine/compress/calibration.h"
#include "engine/compress/quant_config.h"
#include "engine/compress/stored_slots.h"
#include "engine/data/data_config.h"
#include "engine/methods/lord/ranks.h"
#include "engine/methods/lord/solver.h"

namespace lathe {

enum class CompressTarget : std::uint8_t { kAll, kAttention, kMlp };
template <>
struct EnumNames<CompressTarget> {
  static constexpr std::array<std::string_view, 3> names{"all", "attention", "mlp"};
};

struct CompressSpec {
  bool decompose = true;
  LordSolver solver = LordSolver::kAffine;
  CompressTarget target = CompressTarget::kAll;
  std::int64_t rank = 0;
  double rank_fraction = 0;
  double param_share = 0;
  double energy = 0;
  double budget = 0;
  double max_rise = 0;
  RankRule along = RankRule::kBudget;
  std::int64_t multiple = 8;
  bool break_even = true;
  double value_share = 0;
  bool weigh = true;
  bool sequential = false;
  double asvd_alpha = 0.5;
  double ridge = 1e-6;
  std::int64_t heldout_windows = 32;
  QuantConfig quant;
  CalibrationConfig calibration;
  DataConfig data;

  static constexpr auto fields() {
    using C = CompressSpec;
    return std::tuple{
        field("decompose", &C::decompose,
              {.sweep = true, .help = "false: no layer becomes two factors; quant says the rest"}),
        field("solver", &C::solver,
              {.sweep = true,
               .help = "svd: of the weights alone; asvd: inputs weighed by their magnitude; "
                       "whitened: SVD-LLM; lord: principal components of the outputs, with a bias; "
                       "affine: the best affine map of that rank"}),
        field("target", &C::target, {.sweep = true, .help = "which layers of each block"}),
        field("rank", &C::rank,
              {.lo = 0,
               .hi = 65536,
               .log = true,
               .sweep = true,
               .help = "one rank for all layers; 0: chosen otherwise"}),
        field("rank_fraction", &C::rank_fraction,
              {.lo = 0, .hi = 1, .sweep = true, .help = "a share of each layer's smaller side"}),
        field("param_share", &C::param_share,
              {.lo = 0, .hi = 1, .sweep = true, .help = "a share of each layer's parameters"}),
        field("energy", &C::energy,
              {.lo = 0,
               .hi = 1,
               .sweep = true,
               .help = "the least rank that keeps this share of a layer's output energy"}),
        field("budget", &C::budget,
              {.lo = 0,
               .hi = 1,
               .sweep = true,
               .help = "a share of the parameters of all these layers, spent where it loses least; "
                       "0.8 where nothing else is chosen"}),
        field("max_rise", &C::max_rise,
              {.lo = 0,
               .hi = 100,
               .sweep = true,
               .help = "instead of a size: as small as leaves the held-out perplexity no more than "
                       "this share above the dense model's, found by measuring"}),
        field("along", &C::along,
              {.sweep = true, .help = "max_rise: the rule whose share is searched for"}),
        field("multiple", &C::multiple,
              {.lo = 1, .hi = 1024, .sweep = true, .help = "ranks are multiples of it"}),
        field("break_even", &C::break_even,
              {.sweep = true,
               .help = "leave dense what factors would not make smaller; false: count ranks alone, "
                       "as papers do"}),
        field("value_share", &C::value_share,
              {.lo = 0,
               .hi = 1,
               .sweep = true,
               .help = "least share of their parameters that value projections keep; 1: dense"}),
        field(
            "weigh", &C::weigh,
            {.sweep = true,
             .help = "budget: a layer's error counts as much as the loss minds it, by the gradient "
                     "of its output; otherwise as a share of its energy"}),
        field("sequential", &C::sequential,
              {.sweep = true,
               .help = "fit each block to what the blocks before it, factored, give it"}),
        field("asvd_alpha", &C::asvd_alpha,
              {.lo = 0, .hi = 2, .sweep = true, .help = "asvd: exponent of the magnitudes"}),
        field("ridge", &C::ridge,
              {.lo = 0,
               .hi = 1,
               .log = true,
               .sweep = true,
               .help = "sequential: keeps directions that were hardly seen close to the weights"}),
        field("heldout_windows", &C::heldout_windows,
              {.lo = 0,
               .hi = 1e6,
               .log = true,
               .unit = "sequences",
               .help = "pieces of held-out text on which the loss is measured before and after; 0: "
                       "it is not"}),
        field("quant", &C::quant),
        field("calibration", &C::calibration),
        field("data", &C::data)};
  }
};
static_assert(complete<CompressSpec>());

// The types of layers that the target means.
std::vector<LayerType> target_types(CompressTarget target);

// kUsage where several rules are given at once, or what they say cannot be. Of a spec with max_rise
// the value is still to be found: 1.
Result<RankOptions> rank_options(const CompressSpec& spec);
// The spec of one step of a search: a choice like any, with that share of the rule `along`.
CompressSpec with_share(CompressSpec spec, double share);
LordSolverOptions solver_options(const CompressSpec& spec);

// "int4_g64 gptq", "spqr3", "nf4 nearest loftq8", "palette3 16 rows". Precondition: quant.type is
// not kNone, check passed (store_options()).
std::string stored_text(const QuantConfig& config);
// How slots are stored. Precondition: quant.type is not kNone. kUsage as stored_type_of(), and
// where quant.loftq_rank is set beside what LoftQ cannot be combined with.
Result<StoreOptions> store_options(const CompressSpec& spec);

// Whether there is anything that reads text: calibration, or the held-out loss.
bool reads_text(const CompressSpec& spec);

// Whether two specs need the same look at the model, so that one decomposition serves both.
bool share_decomposition(const CompressSpec& a, const CompressSpec& b);

}  // namespace lathe
