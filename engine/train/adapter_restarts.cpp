// See adapter_restarts.h.
#include "engine/train/adapter_restarts.h"

#include "engine/optim/prune_state.h"

namespace lathe {

AdapterRestarts::AdapterRestarts(const std::vector<LinearPlan>& slots) {
  for (const LinearPlan& slot : slots) {
    if (slot.adapter.rank > 0 && slot.adapter.restart_every > 0) {
      every_ = slot.adapter.restart_every;
      warmup_ = slot.adapter.restart_warmup;
      prune_ = slot.adapter.restart_prune;
    }
  }
}

void AdapterRestarts::restart(Backend& backend, Transformer& model, const AdamW& optimizer,
                              std::uint64_t seed, std::int64_t steps_done) const {
  model.start_adapters(seed, static_cast<std::uint64_t>(steps_done / every_));
  for (std::size_t i = 0; i < optimizer.parameters().size(); ++i) {
    if (optimizer.parameters()[i]->role == ParameterRole::kAdapter) {
      prune_state(backend, optimizer.first_moment(i), optimizer.second_moment(i), prune_);
    }
  }
}

double AdapterRestarts::rate_share(std::int64_t step) const {
  if (every_ == 0 || step <= every_) {
    return 1.0;
  }
  const std::int64_t in_cycle = (step - 1) % every_ + 1;
  return in_cycle < warmup_ ? static_cast<double>(in_cycle) / static_cast<double>(warmup_) : 1.0;
}

}  // namespace lathe
