// Which slots become two factors, and at what rank.
#include "engine/methods/low_rank/low_rank.h"

#include <algorithm>
#include <cmath>

#include "engine/methods/described_method.h"

namespace lathe {
namespace {

bool concerns(LowRankTarget target, const LinearPlan& slot) {
  const bool attention = slot.name.find(".attention.") != std::string::npos;
  switch (target) {
    case LowRankTarget::kAll:
      return true;
    case LowRankTarget::kAttention:
      return attention;
    case LowRankTarget::kMlp:
      return !attention;
  }
  return false;
}

std::string shape_text(const LinearPlan& slot) {
  return std::to_string(slot.out) + "x" + std::to_string(slot.in);
}

// The last part of a slot's path: equal slots of all blocks are spoken of once.
std::string leaf(const LinearPlan& slot) {
  return slot.name.substr(slot.name.rfind('.') + 1);
}

void push_once(std::vector<std::string>& to, std::string text) {
  if (std::find(to.begin(), to.end(), text) == to.end()) {
    to.push_back(std::move(text));
  }
}

void judge(const LinearPlan& slot, std::vector<std::string>& errors,
           std::vector<std::string>& warnings) {
  const std::int64_t smaller = std::min(slot.in, slot.out);
  const std::string slot_text = leaf(slot) + " (" + shape_text(slot) + ")";
  if (slot.rank > smaller) {
    push_once(errors, "method.low_rank gives " + slot_text + " rank " + std::to_string(slot.rank) +
                          ", above its smaller side " + std::to_string(smaller) +
                          ": choose a rank from 1 to " + std::to_string(slot.break_even_rank()) +
                          ", or 0 for dense");
  } else if (slot.rank > slot.break_even_rank()) {
    const std::int64_t dense = slot.in * slot.out;
    push_once(warnings, "rank " + std::to_string(slot.rank) + " of " + slot_text +
                            " is above break-even " + std::to_string(slot.break_even_rank()) +
                            ": the factors hold " + std::to_string(slot.params()) +
                            " parameters, " +
                            std::to_string(100 * (slot.params() - dense) / dense) +
                            " % more than the dense layer's " + std::to_string(dense));
  }
}

void plan_low_rank(const Json& canonical, const ModelConfig&, std::vector<LinearPlan>& slots,
                   std::vector<std::string>& errors, std::vector<std::string>& warnings) {
  const auto params = accepted_params<LowRankParams>(canonical);
  const int given = (params.rank > 0) + (params.rank_fraction > 0) + (params.param_share > 0);
  if (given > 1) {
    errors.push_back(
        "method.low_rank takes one of rank, rank_fraction and param_share, not several: set the "
        "others to 0");
    return;
  }
  for (LinearPlan& slot : slots) {
    const std::int64_t rank = rank_of(params, slot.out, slot.in);
    if (rank == 0 || !concerns(params.target, slot)) {
      continue;
    }
    slot.storage = LinearStorage::kLowRank;
    slot.rank = rank;
    slot.between = params.between;
    slot.init = params.init;
    judge(slot, errors, warnings);
  }
}

}  // namespace

std::int64_t rank_of(const LowRankParams& params, std::int64_t out, std::int64_t in) {
  const auto at_least_one = [](double rank) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(rank));
  };
  if (params.rank_fraction > 0) {
    return at_least_one(params.rank_fraction * static_cast<double>(std::min(out, in)));
  }
  if (params.param_share > 0) {  // r (m + n) <= share * m n
    return at_least_one(params.param_share * static_cast<double>(out * in) /
                        static_cast<double>(out + in));
  }
  return params.rank;
}

Method low_rank_method() {
  return {.id = "low_rank",
          .title = "Low-rank layers",
          .paper = "FinGPT-HPC (arXiv 2402.13533): y = B A x; spectral start of Khodak et al. 2021",
          .append_params = append_method_params<LowRankParams>,
          .normalise = normalise_params<LowRankParams>,
          .plan = plan_low_rank};
}

}  // namespace lathe
