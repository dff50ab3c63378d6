// The device's part of a training step, recorded once and then issued as a whole: a CUDA graph,
// where there is one. What changes from step to step lies on the device, in values written before
// each; memory, ops and their order are the same every time.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "engine/backend/backend.h"

namespace lathe {

// What issuing a step took.
struct StepCost {
  OpCounters counters;
  LedgerSnapshot live, peak;
  std::string peak_phase;
};

class StepGraph {
 public:
  // Off, every step is issued op by op.
  StepGraph(Backend& backend, bool on);

  bool on() const { return on_; }

  // Precondition for these: on(). What the update takes from its AdamwStepArgs.values, and the
  // factor of the loss's gradients (f64 [1]): where they lie, and what they are from now on.
  TensorRef update_values() const;
  TensorRef gradient_scale() const;
  // The step's number within the former.
  TensorRef step() const;
  void write_values(const UpdateValues& update, double gradient_scale);

  // Issues `step`: the first as it is, which makes what has to be there before; the next one is
  // recorded, and what it was is issued from then on, as long as its memory is free. Ledger and
  // counters tell of each as if its ops had been called. A step that is not `recordable`, since the
  // host has a part in it, is issued op by op; its ops are the same.
  const StepCost& run(const std::function<void()>& step, bool recordable = true);
  // Steps do other things from now on: the next is issued as it is, and recording begins anew.
  void begin_anew();

 private:
  void measure(const std::function<void()>& step);

  Backend& backend_;
  bool on_;
  Tensor values_;  // kUpdateValues, the scale
  bool begun_ = false;
  StepCost cost_;
  std::unique_ptr<RecordedOps> recorded_;
};

}  // namespace lathe
