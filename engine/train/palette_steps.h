// A trainer's palettes (DKM): when they begin, and what a step does with them before the optimizer
// sees its gradients.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/base/result.h"
#include "engine/nn/linear.h"
#include "engine/train/palette_view.h"

namespace lathe {

class PaletteSteps {
 public:
  explicit PaletteSteps(std::vector<Linear::Palettised> palettes)
      : palettes_(std::move(palettes)) {}

  // Whether any palette begins before the step after so many done: the host then reads weights, so
  // no step may be on its way.
  bool begins_after(std::int64_t steps_done) const;
  // Those that begin there. As Palette::begin().
  Result<void> begin(std::int64_t steps_done);
  // Whether a product reads one.
  bool begun() const;

  // As long as it lives products read soft weights, of centroids that passes do not move.
  class Soft {
   public:
    explicit Soft(const PaletteSteps& steps) : steps_(steps) { steps_.read_soft(true); }
    ~Soft() { steps_.read_soft(false); }
    Soft(const Soft&) = delete;
    Soft& operator=(const Soft&) = delete;

   private:
    const PaletteSteps& steps_;
  };

  // After a step's passes: gradients become the weights' own, and centroids move.
  void finish() const;
  // After passes that are no step's.
  void forget() const;
  // After a checkpoint has filled them.
  void filled() const;

  // What of a model's parameters is stored as palettes takes fewer bytes than it is trained in.
  std::int64_t saved_bytes(const std::vector<Parameter*>& parameters) const;
  // What those that have begun look like now. Between steps; waits for the device.
  std::vector<PaletteView> view(Backend& backend) const;

  const std::vector<Linear::Palettised>& all() const { return palettes_; }

 private:
  void read_soft(bool soft) const;

  std::vector<Linear::Palettised> palettes_;
};

}  // namespace lathe
