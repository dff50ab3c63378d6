// What the steps on their way leave on the device for the host: sums of the loss and squares of the
// gradients, a row a step, read together when the host waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/nn/parameter.h"
#include "engine/train/trainer.h"

namespace lathe {

// A step whose loss or gradient norm was not finite.
struct BrokenStep {
  std::int64_t step = 0;  // 1 for the first
  std::int64_t tokens_before = 0;
  double loss = 0;
  double grad_norm = 0;
  std::string parameter;  // the first whose gradient is not finite; empty if all are
};

class StepRecords {
 public:
  // Room for `rows` steps at a time.
  StepRecords(Backend& backend, std::int64_t rows, const std::vector<Parameter*>& parameters);

  // Places for the step that is about to be issued, the same for all; entropy is to be zeroed.
  struct Row {
    TensorRef entropy;  // f64 [kCrossEntropySums], the loss first
    TensorRef squares;  // f64 [parameters], of their gradients
    TensorRef total;    // f64 [1], of all
  };
  Row begin_step();
  // f64 [1]: not 0 once a step was not taken; those after it are not taken either.
  TensorRef refused() const;

  // The step is issued; its row is set aside until take(). `report` lacks what the device knows and
  // the time; `tokens` are its own.
  void end_step(const StepReport& report, std::int64_t targets, std::int64_t tokens);
  std::int64_t on_their_way() const { return static_cast<std::int64_t>(issued_.size()); }

  // Waits for the steps on their way and appends their reports in order, up to the first broken
  // one. Their time is shared equally among them.
  std::optional<BrokenStep> take(std::vector<StepReport>& reports);

 private:
  struct Issued {
    StepReport report;
    std::int64_t targets = 1;
    std::int64_t tokens = 0;
  };
  std::int64_t row_sums() const;
  TensorRef row(std::int64_t number) const;

  Backend& backend_;
  std::vector<std::string> names_;  // of the parameters
  std::int64_t rows_;
  Tensor sums_;  // refused, then the rows
  std::vector<Issued> issued_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace lathe
