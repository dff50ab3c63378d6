// See plan_profile.h.
#include "experiments/plan_profile.h"

#include <numeric>

#include "engine/nn/linear_plan.h"
#include "engine/train/plan_time_line.h"
#include "experiments/predict.h"

namespace lathe::experiments {
namespace {

std::vector<std::int64_t> sizes_for_all(const ModelConfig& model) {
  std::int64_t common = 0;
  for (const LinearPlan& slot : dense_plan(model)) {
    common = std::gcd(common, slot.in);
  }
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 2; size <= common; ++size) {
    if (common % size == 0) {
      sizes.push_back(size);
    }
  }
  return sizes;
}

}  // namespace

Result<PlannedProfile> plan_profile(const RunSpec& spec, int threads) {
  const auto case_of = plan_case(spec, threads);
  if (!case_of) {
    return case_of.error();
  }
  auto line = plan_time_line(case_of->spec, case_of->machine);
  if (!line) {
    return line.error();
  }
  return PlannedProfile{.profile = {.run = {},
                                    .step = 2,
                                    .time_line = std::move(line->events),
                                    .tags = std::move(line->tags),
                                    .peak_by_layer = std::move(line->peak_by_layer),
                                    .peak = line->peak,
                                    .peak_phase = std::move(line->peak_phase)},
                        .sub_token_sizes = sizes_for_all(case_of->spec.model)};
}

}  // namespace lathe::experiments
