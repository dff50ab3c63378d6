// The back end without values: every op is a no-op, every tensor has shape and ledger entry only.
// One step on it is a plan: bytes, operations and the peak, exact and at once.
#pragma once

#include <memory>

#include "engine/backend/backend.h"

namespace lathe {

// `machine`: the shape of what it stands for; sizes of scratch depend on it.
std::unique_ptr<Backend> make_meta_backend(const MachineShape& machine);

}  // namespace lathe
