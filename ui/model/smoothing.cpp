// One pass; the mass of the weights so far corrects the bias of the start.
#include "ui/model/smoothing.h"

#include <cmath>

namespace lathe::ui {

std::vector<double> smooth(const std::vector<Bucket>& buckets, double weight) {
  std::vector<double> out;
  out.reserve(buckets.size());
  double average = 0;
  double mass = 0;  // 1 - weight^n
  for (const Bucket& bucket : buckets) {
    if (!std::isfinite(bucket.last)) {
      out.push_back(bucket.last);
      continue;
    }
    average = weight * average + (1 - weight) * bucket.last;
    mass = weight * mass + (1 - weight);
    out.push_back(average / mass);
  }
  return out;
}

}  // namespace lathe::ui
