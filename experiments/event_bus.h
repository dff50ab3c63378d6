// One event, several consumers: the store, the live view, the console.
#pragma once

#include <vector>

#include "experiments/events.h"

namespace lathe::experiments {

// Passes each event on in the order in which sinks were added, so the one that keeps (the store)
// goes before those that show. add() only before the first event; sinks outlive the bus.
class EventBus final : public EventSink {
 public:
  void add(EventSink& sink) { sinks_.push_back(&sink); }
  void on_event(const Event& event) override {
    for (EventSink* sink : sinks_) {
      sink->on_event(event);
    }
  }

 private:
  std::vector<EventSink*> sinks_;
};

}  // namespace lathe::experiments
