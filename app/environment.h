// What a run is recorded with, beside its spec: facts of build, machine and libraries, so that a
// replay can say what differs.
#pragma once

#include "engine/base/json.h"

namespace lathe::app {

// The runner adds back end, device and threads.
Json environment();

}  // namespace lathe::app
