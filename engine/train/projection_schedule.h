// When GaLore's projections are chosen anew: each at every T-th step, the first included.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/nn/gradient_projection.h"

namespace lathe {

class ProjectionSchedule {
 public:
  explicit ProjectionSchedule(std::vector<GradientProjection*> projections)
      : projections_(std::move(projections)) {}

  // Whether the step after so many done chooses any: the host then reads gradients, so no step
  // before it may be on its way.
  bool chooses_after(std::int64_t steps_done) const;
  void begin_step(std::int64_t steps_done) const;
  // The mean of those that the step begun last has chosen.
  std::optional<double> kept_energy() const;

 private:
  std::vector<GradientProjection*> projections_;
};

}  // namespace lathe
