// The slots of a model, before any method has changed them.
#include "engine/nn/linear_plan.h"

#include <algorithm>
#include <cmath>

namespace lathe {

bool any_factored(const std::vector<LinearPlan>& slots) {
  return std::any_of(slots.begin(), slots.end(), [](const LinearPlan& slot) {
    return slot.storage == LinearStorage::kLowRank;
  });
}

std::vector<std::string> matrices_of(const LinearPlan& plan) {
  return plan.storage == LinearStorage::kLowRank
             ? std::vector<std::string>{plan.name + ".a", plan.name + ".b"}
             : std::vector<std::string>{plan.name + ".weight"};
}

std::vector<LinearPlan> dense_plan(const ModelConfig& model) {
  std::vector<LinearPlan> slots;
  const std::int64_t kv_dim = model.kv_width();
  const std::int64_t ff = model.ff_width();
  // GPT-2 scales what is added to the residual stream by 1/sqrt(number of additions).
  const double residual_std = model.init_std / std::sqrt(2.0 * static_cast<double>(model.layers));
  for (std::int64_t i = 0; i < model.layers; ++i) {
    const std::string block = "layers." + std::to_string(i);
    const auto add = [&](const std::string& leaf, std::int64_t in, std::int64_t out,
                         double std_dev) {
      slots.push_back(
          {.name = block + leaf, .in = in, .out = out, .init_std = std_dev, .bias = model.bias});
    };
    add(".attention.q", model.dim, model.query_width(), model.init_std);
    add(".attention.k", model.dim, kv_dim, model.init_std);
    add(".attention.v", model.dim, kv_dim, model.init_std);
    add(".attention.o", model.query_width(), model.dim, residual_std);
    if (model.gated()) {
      add(".mlp.gate", model.dim, ff, model.init_std);
    }
    add(".mlp.up", model.dim, ff, model.init_std);
    add(".mlp.down", ff, model.dim, residual_std);
  }
  return slots;
}

}  // namespace lathe
