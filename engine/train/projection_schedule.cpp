// See projection_schedule.h.
#include "engine/train/projection_schedule.h"

#include <algorithm>

namespace lathe {

bool ProjectionSchedule::chooses_after(std::int64_t steps_done) const {
  return std::any_of(projections_.begin(), projections_.end(),
                     [&](const GradientProjection* one) { return one->chooses_after(steps_done); });
}

void ProjectionSchedule::begin_step(std::int64_t steps_done) const {
  for (GradientProjection* one : projections_) {
    one->begin_step(steps_done);
  }
}

std::optional<double> ProjectionSchedule::kept_energy() const {
  double sum = 0;
  int chosen = 0;
  for (const GradientProjection* one : projections_) {
    sum += one->kept_energy().value_or(0.0);
    chosen += one->kept_energy().has_value() ? 1 : 0;
  }
  return chosen > 0 ? std::optional(sum / chosen) : std::nullopt;
}

}  // namespace lathe
