// ReLoRA (arXiv 2307.05695): every so many steps the adapters join their weights and begin anew,
// most of their optimizer state goes, and the learning rate rises again.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/nn/transformer.h"
#include "engine/optim/adamw.h"

namespace lathe {

class AdapterRestarts {
 public:
  // All slots that restart do so alike.
  explicit AdapterRestarts(const std::vector<LinearPlan>& slots);

  // Whether a restart stands between this many steps done and the next.
  bool due(std::int64_t steps_done) const {
    return every_ > 0 && steps_done > 0 && steps_done % every_ == 0;
  }
  // Precondition: due(steps_done), and no step is on its way.
  void restart(Backend& backend, Transformer& model, const AdamW& optimizer, std::uint64_t seed,
               std::int64_t steps_done) const;
  // What the schedule's rate is multiplied by at a step (1 for the first).
  double rate_share(std::int64_t step) const;

 private:
  std::int64_t every_ = 0;
  std::int64_t warmup_ = 0;
  double prune_ = 0;
};

}  // namespace lathe
