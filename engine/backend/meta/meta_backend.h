// The back end without values: every op is a no-op, every tensor has shape and ledger entry only.
// One step on it is a plan: bytes, operations and the peak, exact and at once.
#pragma once

#include <memory>

#include "engine/backend/backend.h"

namespace lathe {

// `parallelism`: threads of the machine it stands for (sizes of scratch depend on them).
std::unique_ptr<Backend> make_meta_backend(int parallelism);

}  // namespace lathe
