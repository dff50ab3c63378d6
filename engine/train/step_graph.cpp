// See step_graph.h.
#include "engine/train/step_graph.h"

#include <array>
#include <cstddef>
#include <cstring>

#include "engine/backend/sums.h"

namespace lathe {

StepGraph::StepGraph(Backend& backend, bool on) : backend_(backend), on_(on) {
  if (on) {
    values_ = make_sums(backend, "step", "values", kUpdateValues + 1);
  }
}

TensorRef StepGraph::update_values() const {
  return sums_at(values_, 0, kUpdateValues);
}

TensorRef StepGraph::step() const {
  return sums_at(values_, offsetof(UpdateValues, step) / sizeof(double), 1);
}

TensorRef StepGraph::gradient_scale() const {
  return sums_at(values_, kUpdateValues, 1);
}

void StepGraph::write_values(const UpdateValues& update, double gradient_scale) {
  std::array<double, kUpdateValues + 1> all{};
  std::memcpy(all.data(), &update, sizeof update);
  all.back() = gradient_scale;
  backend_.write(values_, all.data(), sizeof all);
}

void StepGraph::measure(const std::function<void()>& step) {
  Ledger& ledger = backend_.ledger();
  ledger.reset_peak();
  backend_.counters() = OpCounters{};
  step();
  cost_ = {.counters = backend_.counters(),
           .live = ledger.live(),
           .peak = ledger.peak(),
           .peak_phase = ledger.peak_phase()};
}

void StepGraph::begin_anew() {
  recorded_.reset();
  begun_ = false;
}

const StepCost& StepGraph::run(const std::function<void()>& step, bool recordable) {
  if (!recordable) {
    measure(step);
    begun_ = true;
    return cost_;
  }
  if (recorded_ != nullptr && !recorded_->valid()) {
    recorded_.reset();
  }
  if (recorded_ != nullptr) {
    backend_.counters() = cost_.counters;
    backend_.ledger().set_peak(cost_.peak, cost_.peak_phase);
  } else if (on_ && begun_ && backend_.records()) {
    recorded_ = backend_.record([&] { measure(step); });
  } else {
    measure(step);
    begun_ = true;
  }
  if (recorded_ != nullptr) {
    recorded_->issue();
  }
  return cost_;
}

}  // namespace lathe
