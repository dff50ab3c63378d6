// See live_knobs.h.
#include "experiments/live_knobs.h"

#include <fmt/core.h>

#include "experiments/run_spec.h"

namespace lathe::experiments {

Result<std::string> set_live(const SetLive& change, Trainer& trainer) {
  LiveKnobs knobs = trainer.live();
  const auto path = resolve_param(change.param);
  if (!path) {
    return path.error();
  }
  if (*path == "optim.lr") {
    knobs.lr = change.value;
  } else if (*path == "optim.weight_decay") {
    knobs.weight_decay = change.value;
  } else if (*path == "optim.clip_norm") {
    knobs.clip_norm = change.value;
  } else {
    return Error{ErrorKind::kUsage, *path + " cannot be changed while a run trains",
                 "optim.lr, optim.weight_decay and optim.clip_norm can"};
  }
  const auto checked = parse_param_value(*find_param(*path), fmt::format("{}", change.value));
  if (!checked) {
    return checked.error();
  }
  trainer.set_live(knobs);
  return *path;
}

}  // namespace lathe::experiments
