// Which slots' matrices are read through palettes, and of what kind.
#include "engine/methods/dkm/dkm.h"

#include "engine/methods/described_method.h"
#include "engine/methods/slot_choice.h"

namespace lathe {
namespace {

void check_together(const DkmParams& params, std::vector<std::string>& errors) {
  const std::int64_t of_bits = std::int64_t{1} << params.bits;
  if (params.bits > 0 && params.clusters > of_bits) {
    errors.push_back("method.dkm.clusters=" + std::to_string(params.clusters) + " is above " +
                     std::to_string(of_bits) +
                     ", what method.dkm.bits=" + std::to_string(params.bits) +
                     " tells apart: lower the one, raise the other, "
                     "or set bits to 0");
  }
  if (params.clusters == 1) {
    errors.emplace_back(
        "method.dkm.clusters=1 would make all weights of a matrix equal: choose 2 to 256, or 0 "
        "with method.dkm.bits");
  }
  const std::string dim = "method.dkm.cluster_dim=" + std::to_string(params.cluster_dim);
  if (params.cluster_dim > 1 && params.row_scale != PaletteScale::kNone) {
    errors.push_back(dim + " and method.dkm.row_scale=" + std::string(enum_name(params.row_scale)) +
                     " do not go together: set cluster_dim=1 or row_scale=none");
  }
  if (params.memory != PaletteMemory::kTable && params.cluster_dim > 1) {
    errors.push_back("method.dkm.memory=" + std::string(enum_name(params.memory)) +
                     " keeps maps of single weights: set cluster_dim=1, or memory=table");
  }
  if (params.memory == PaletteMemory::kTable && params.learners > 1) {
    errors.push_back("method.dkm.learners=" + std::to_string(params.learners) +
                     " has nothing to share out under memory=table, which keeps no maps: set "
                     "learners=1, or another memory");
  }
  if (params.cluster_dim > 1 && params.init == PaletteInit::kNormal) {
    errors.push_back(dim + " has no levels of a normal distribution: set method.dkm.init=kmeans");
  }
}

void plan_dkm(const Json& canonical, const ModelConfig& model, std::vector<LinearPlan>& slots,
              std::vector<std::string>& errors, std::vector<std::string>&) {
  const auto params = accepted_params<DkmParams>(canonical);
  if (params.centroids() == 0) {
    return;
  }
  const std::size_t before = errors.size();
  check_together(params, errors);
  check_targets("method.dkm.targets", params.targets, "bits and clusters to 0", errors);
  const BlockChoice blocks("method.dkm.layers", params.layers, model, errors);
  bool any = false;
  for (LinearPlan& slot : slots) {
    if (!blocks.has(slot) || !is_target(params.targets, slot) || errors.size() > before) {
      continue;
    }
    any = true;
    slot.palette = {.clusters = params.centroids(),
                    .dim = params.cluster_dim,
                    .rows = params.rows,
                    .iterations = params.iterations,
                    .temperature = params.temperature,
                    .relative = params.unit == TemperatureUnit::kGap,
                    .floor = params.floor,
                    .init = params.init,
                    .scale = params.row_scale,
                    .codes = params.compare_as == CodeType::kF16 ? DType::kF16 : DType::kBf16,
                    .begins_at = params.begin_after,
                    .memory = params.memory,
                    .maps = params.maps == MapType::kF32 ? DType::kF32 : DType::kBf16,
                    .learners = params.learners,
                    .stddev = slot.init_std,
                    .tables = params.tables};
  }
  if (!any && errors.size() == before) {
    errors.push_back(no_slot_here("method.dkm.targets"));
  }
}

}  // namespace

Method dkm_method() {
  return {.id = "dkm",
          .title = "DKM",
          .paper =
              "DKM (arXiv 2108.12659), eDKM (arXiv 2309.00964): weights drawn softly to the "
              "centroids of a palette, attention made for distinct 16-bit values alone",
          .append_params = append_method_params<DkmParams>,
          .normalise = normalise_params<DkmParams>,
          .plan = plan_dkm};
}

}  // namespace lathe
