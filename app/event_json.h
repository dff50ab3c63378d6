// Events as JSON lines, for programs that watch a run.
#pragma once

#include <optional>

#include "engine/base/json.h"
#include "experiments/events.h"

namespace lathe::app {

// {"event": "metrics", "run": "...", ...}; nothing for events that only the store wants (memory
// samples and profiles).
std::optional<Json> event_json(const experiments::Event& event);

}  // namespace lathe::app
